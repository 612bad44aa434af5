package access

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// TermsVersion is the version of the terms of viewing. Terms that are changed are
// another version; old ones stay in the folder terms, because custody entries name
// them by hash.
const TermsVersion = 1

//go:embed terms/v1.json
var termsV1 []byte

// Terms are the terms of viewing in one language.
type Terms struct {
	Title  string   `json:"title" doc:"Heading."`
	Points []string `json:"points" doc:"What the viewer accepts, one sentence or two each."`
}

var terms = func() map[string]Terms {
	var out map[string]Terms
	if err := json.Unmarshal(termsV1, &out); err != nil {
		panic(fmt.Sprintf("terms of viewing: %v", err)) // the program was built with it
	}
	return out
}()

// TermsIn returns the present terms in a language (BCP 47; English where there are
// none) and their SHA-256 in lower-case hex, over their canonical JSON. Whoever
// accepts them names that hash.
func TermsIn(language string) (t Terms, sum string) {
	if language == "sr" {
		language = "sr-Latn"
	}
	t, ok := terms[language]
	if !ok {
		t = terms["en"]
	}
	raw, err := evidence.Canonical(t)
	if err != nil {
		panic(fmt.Sprintf("terms of viewing: %v", err)) // strings always have a canonical form
	}
	digest := sha256.Sum256(raw)
	return t, hex.EncodeToString(digest[:])
}

// knownTerms returns the language whose present terms have a hash, or nothing.
func knownTerms(sum string) string {
	for language := range terms {
		if _, have := TermsIn(language); have == sum {
			return language
		}
	}
	return ""
}
