package consent

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
)

// TextVersion is the version of the texts that explain the purposes to the person.
// A text that is changed is another version; the old ones stay in the folder texts,
// because records name them.
const TextVersion = 1

//go:embed texts/v1.json
var textsV1 []byte

// Text explains what is asked, in one language: to an adult, and to a child in
// words that she understands, with a picture for each purpose on the page.
type Text struct {
	Title    string               `json:"title" doc:"Heading."`
	Intro    Wording              `json:"intro" doc:"What is said first."`
	Rights   Rights               `json:"rights" doc:"What she can do afterwards."`
	Purposes map[Purpose]*Wording `json:"purposes" doc:"What each purpose means."`
}

// Wording is one sentence for two readers.
type Wording struct {
	Adult string `json:"adult" doc:"For an adult."`
	Child string `json:"child" doc:"For a child."`
}

// Rights are sentences for two readers.
type Rights struct {
	Adult []string `json:"adult" doc:"For an adult."`
	Child []string `json:"child" doc:"For a child."`
}

// texts holds the present version by BCP 47 tag.
var texts = func() map[string]Text {
	var out map[string]Text
	if err := json.Unmarshal(textsV1, &out); err != nil {
		panic(fmt.Sprintf("consent texts: %v", err)) // the program was built with it
	}
	return out
}()

// Texts returns the present texts by language. The caller must not change them.
func Texts() map[string]Text { return texts }

// TextFor returns the text for a language and its SHA-256 in lower-case hex, over
// its canonical JSON; for a language in which there is none, the empty string: it
// was explained freely.
func TextFor(language string) (Text, string) {
	if language == "sr" {
		language = "sr-Latn"
	}
	text, ok := texts[language]
	if !ok {
		return Text{}, ""
	}
	raw, err := evidence.Canonical(text)
	if err != nil {
		return Text{}, ""
	}
	sum := sha256.Sum256(raw)
	return text, hex.EncodeToString(sum[:])
}
