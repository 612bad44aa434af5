package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/toldonce/toldonce/web/ui"
)

// pages serves the embedded interface: files by name, and index.html for the
// paths that the interface makes up itself, which have no extension.
type pages struct {
	files map[string]asset
	built bool
}

type asset struct {
	body, gzip []byte
	mime       string
	immutable  bool // its name holds a hash of its content
}

// newPages reads every file once and compresses what compresses.
func newPages(files fs.FS) (*pages, error) {
	p := &pages{files: make(map[string]asset), built: ui.Built(files)}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		f := asset{body: body, mime: typeOf(name), immutable: strings.HasPrefix(name, "assets/")}
		if compressible(f.mime) {
			f.gzip = compress(body)
		}
		p.files[name] = f
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the interface: %w", err)
	}
	return p, nil
}

func compressible(mime string) bool {
	return strings.HasPrefix(mime, "text/") || strings.Contains(mime, "json") || strings.Contains(mime, "xml")
}

// compress returns nil if nothing is gained.
func compress(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // only an invalid level
	}
	_, _ = w.Write(body) // a bytes.Buffer takes everything
	_ = w.Close()
	if out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

// typeOf names media types itself where the system's table may differ.
func typeOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	case ".md":
		return "text/markdown; charset=utf-8"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

const notBuilt = "The interface was not built into this program. Build it with make build; the API works without it.\n"

// serve answers what no route answers.
func (p *pages) serve(c *gin.Context) {
	r := c.Request
	if isMachinePath(r.URL.Path) {
		writeProblem(c.Writer, r, notFound())
		return
	}
	if r.Method != get && r.Method != head {
		writeProblem(c.Writer, r, methodNotAllowed("GET, HEAD"))
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	f, ok := p.files[name]
	if !ok || name == "" {
		if path.Ext(name) != "" {
			writeProblem(c.Writer, r, notFound())
			return
		}
		if !p.built {
			c.String(http.StatusServiceUnavailable, notBuilt)
			return
		}
		f = p.files["index.html"]
	}
	h := c.Writer.Header()
	h.Set("Content-Type", f.mime)
	h.Set("Vary", "Accept-Encoding")
	if f.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.body
	if f.gzip != nil && r.Header.Get("Range") == "" && acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.gzip
	}
	http.ServeContent(c.Writer, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding as far as browsers use it.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(name) == "gzip" && strings.ReplaceAll(params, " ", "") != "q=0" {
			return true
		}
	}
	return false
}
