package signalling

import "testing"

func FuzzFragment(f *testing.F) {
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 X 0\r\na=mid:0\r\na=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		fr, err := parseFragment(text)
		if err == nil && (fr.ufrag == "" || fr.pwd == "") {
			t.Error("accepted without credentials")
		}
		answerFragment(text)
	})
}
