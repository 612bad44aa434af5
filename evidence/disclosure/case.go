package disclosure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

// caseContext maps the prefixes of CASE 1.4 and UCO 1.4 (P25); "kb" names what is
// in this package.
var caseContext = map[string]string{
	"kb":                 "https://toldonce.org/kb/",
	"case-investigation": "https://ontology.caseontology.org/case/investigation/",
	"uco-action":         "https://ontology.unifiedcyberontology.org/uco/action/",
	"uco-core":           "https://ontology.unifiedcyberontology.org/uco/core/",
	"uco-identity":       "https://ontology.unifiedcyberontology.org/uco/identity/",
	"uco-observable":     "https://ontology.unifiedcyberontology.org/uco/observable/",
	"uco-role":           "https://ontology.unifiedcyberontology.org/uco/role/",
	"uco-tool":           "https://ontology.unifiedcyberontology.org/uco/tool/",
	"uco-types":          "https://ontology.unifiedcyberontology.org/uco/types/",
	"uco-vocabulary":     "https://ontology.unifiedcyberontology.org/uco/vocabulary/",
	"xsd":                "http://www.w3.org/2001/XMLSchema#",
}

type node map[string]any

func ref(id string) node { return node{"@id": "kb:" + id} }

func refs(ids []string) []node {
	out := make([]node, len(ids))
	for i, id := range ids {
		out[i] = ref(id)
	}
	return out
}

func dateTime(at evidence.Instant) node {
	return node{"@type": "xsd:dateTime", "@value": at.Time().Format("2006-01-02T15:04:05.000000Z07:00")}
}

// caseGraph describes the package in CASE/UCO JSON-LD: the investigation, who
// acted (by account, never by name), each custody entry as an InvestigativeAction,
// the media as files with their digests, and a ProvenanceRecord with the exhibit
// number that says what the files were derived from.
func (p Package) caseGraph(m evidence.Manifest, media []MediaFile, b *bag) ([]byte, error) {
	g := &graph{}
	investigation, source, record := "investigation-"+string(m.Case), "recording-"+string(m.Recording), "provenance-"+string(p.Export)
	tool := "tool-toldonce"
	name, version, _ := strings.Cut(p.Software, " ")
	g.add(tool, "uco-tool:Tool", node{"uco-core:name": name, "uco-tool:version": version})
	g.add(source, "uco-observable:ObservableObject", node{
		"uco-core:description": "The sealed recording, of which the agency keeps the master",
		"uco-core:hasFacet":    []node{g.content("recording-content", "", 0, hex.EncodeToString(hashOf(p.Recording.Manifest)))},
	})
	var files []string
	for i, f := range media {
		id := fmt.Sprintf("file-%d", i)
		files = append(files, id)
		g.add(id, "uco-observable:ObservableObject", node{"uco-core:hasFacet": []node{
			{"@id": "kb:" + id + "-name", "@type": "uco-observable:FileFacet", "uco-observable:fileName": f.Name[strings.LastIndexByte(f.Name, '/')+1:], "uco-observable:filePath": f.Name,
				"uco-observable:sizeInBytes": f.Size},
			g.content(id+"-content", "video/mp4", f.Size, b.sums[f.Name]),
		}})
	}
	exhibit := node{"uco-core:object": refs(files), "case-investigation:rootExhibitNumber": string(m.Recording), "case-investigation:wasDerivedFrom": ref(source)}
	if number := p.exhibitNumber(); number != "" {
		exhibit["case-investigation:exhibitNumber"] = number
	}
	g.add(record, "case-investigation:ProvenanceRecord", exhibit)
	objects := append([]string{source, record}, files...)
	for _, e := range p.Excerpt.Entries {
		l, err := custody.ParseLeaf(e.Leaf)
		if err != nil {
			return nil, fmt.Errorf("custody entry %d: %w", e.Position, err)
		}
		objects = append(objects, g.act(e, l, source, record, tool)...)
	}
	g.add(investigation, "case-investigation:Investigation", node{
		"case-investigation:investigationForm": node{"@type": "uco-vocabulary:InvestigationFormVocab", "@value": "case"}, "uco-core:object": refs(objects),
	})
	out, err := json.MarshalIndent(struct {
		Context map[string]string `json:"@context"`
		Graph   []node            `json:"@graph"`
	}{caseContext, g.nodes}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("case graph: %w", err)
	}
	return append(out, '\n'), nil
}

type graph struct {
	nodes []node
	known map[string]bool
}

func (g *graph) add(id, kind string, n node) {
	if g.known == nil {
		g.known = map[string]bool{}
	}
	if g.known[id] {
		return
	}
	g.known[id] = true
	n["@id"], n["@type"] = "kb:"+id, kind
	g.nodes = append(g.nodes, n)
}

// content is the facet that ties a file to its digest.
func (g *graph) content(id, kind string, size int64, sum string) node {
	n := node{"@id": "kb:" + id, "@type": "uco-observable:ContentDataFacet", "uco-observable:hash": []node{{
		"@id": "kb:" + id + "-hash", "@type": "uco-types:Hash",
		"uco-types:hashMethod": node{"@type": "uco-vocabulary:HashNameVocab", "@value": "SHA256"},
		"uco-types:hashValue":  node{"@type": "xsd:hexBinary", "@value": sum},
	}}}
	if kind != "" {
		n["uco-observable:mimeType"], n["uco-observable:sizeInBytes"] = kind, size
	}
	return n
}

// act adds a custody entry and returns the names of what it added.
func (g *graph) act(e ExcerptEntry, l custody.Leaf, source, record, tool string) []string {
	id := fmt.Sprintf("action-%d", e.Position)
	performer := tool
	if l.Actor.Account != "" {
		performer = "account-" + string(l.Actor.Account)
		g.add(performer, "uco-identity:Identity", node{"uco-core:description": strings.TrimSpace(string(l.Actor.Kind) + " " + string(l.Actor.Role))})
	}
	n := node{
		"uco-core:name": l.Action, "uco-action:startTime": dateTime(l.At), "uco-action:endTime": dateTime(l.At),
		"uco-action:performer": ref(performer), "uco-action:instrument": ref(tool), "uco-action:object": []node{ref(source)},
	}
	added := []string{id}
	if performer != tool {
		added = append(added, performer)
	}
	if strings.HasPrefix(l.Action, "export.") {
		n["uco-action:result"] = []node{ref(record)}
	}
	for _, o := range e.Openings {
		switch o.Field {
		case custody.FieldAuthority:
			authority := id + "-authorization"
			g.add(authority, "case-investigation:Authorization", node{"case-investigation:authorizationIdentifier": []string{o.Value}})
			n["case-investigation:relevantAuthorization"] = ref(authority)
			added = append(added, authority)
		case custody.FieldWhy:
			n["uco-core:description"] = o.Value
		}
	}
	g.add(id, "case-investigation:InvestigativeAction", n)
	return added
}

func hashOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

func digest(data []byte) string { return hex.EncodeToString(hashOf(data)) }
