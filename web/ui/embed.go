// Package ui holds the interface as it was built by Vite. A build without it is
// possible, so that Go tools work in a fresh clone; [Built] tells.
package ui

import (
	"embed"
	"io/fs"
)

// all: because names that begin with a dot or an underscore would be left out.
//
//go:embed all:dist
var dist embed.FS

// Files returns the built interface, with index.html at its root.
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only an invalid name, which "dist" is not
	}
	return sub
}

// Built reports whether the interface was built before the program was.
func Built(files fs.FS) bool {
	_, err := fs.Stat(files, "index.html")
	return err == nil
}
