//go:build !js

// Command page writes toldonce-verify as one HTML page that needs no network:
// package verify compiled to WebAssembly, packed and put inside, with the look of
// the product. Run it in the module: go run ./cmd/toldonce-verify/page OUT.html
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed page.html
var page string

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: page OUT.html")
		os.Exit(64)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "page: %v\n", err)
		os.Exit(1)
	}
}

func write(out string) error {
	dir, err := os.MkdirTemp("", "toldonce-page-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	wasm := filepath.Join(dir, "verify.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", wasm, "github.com/toldonce/toldonce/cmd/toldonce-verify/page")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("compiling for the browser: %w", err)
	}
	program, err := os.ReadFile(wasm)
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	glue, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return err
	}
	tokens, err := tokens()
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(program); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	done := strings.NewReplacer("/*TOKENS*/", tokens, "/*GLUE*/", string(glue), "PROGRAM", base64.StdEncoding.EncodeToString(packed.Bytes())).Replace(page)
	if err := os.WriteFile(out, []byte(done), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d kB, of which the program %d kB (unpacked %d kB)\n", out, len(done)>>10, packed.Len()>>10, len(program)>>10)
	return nil
}

// tokens are the colours and sizes of the product.
func tokens() (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/toldonce/toldonce").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	css, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "web", "ui", "src", "tokens.css"))
	return string(css), err
}
