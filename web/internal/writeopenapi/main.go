// Command writeopenapi writes the OpenAPI document of the API to the file that it
// is given. The TypeScript client is generated from that file.
package main

import (
	"log"
	"os"

	"github.com/toldonce/toldonce/web"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: writeopenapi FILE")
	}
	doc, err := web.OpenAPI()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], doc, 0o644); err != nil {
		log.Fatal(err)
	}
}
