package witness

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/custody"
)

type shelf map[string][]byte

func (s shelf) Last(origin string) ([]byte, error) {
	if n, ok := s[origin]; ok {
		return n, nil
	}
	return nil, evidence.ErrNotFound
}

func (s shelf) Save(origin string, _ int64, signed []byte) error { s[origin] = signed; return nil }

// The statuses and bodies of C2SP tlog-witness, as a stock client sees them, and what
// this client makes of them.
func TestProtocol(t *testing.T) {
	const origin = "custody.example/log1"
	logKey, logVerifier, err := custody.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, _, err := custody.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	key, public, err := custody.GenerateCosigner("witness.court.example")
	if err != nil {
		t.Fatal(err)
	}
	w, err := custody.NewWitness(key, []string{logVerifier}, shelf{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(Handler(w, slog.New(slog.DiscardHandler)))
	defer server.Close()
	client, err := NewClient(server.URL+"/", public, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := func(key string, f custody.Frontier) []byte {
		s, err := note.NewSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		root := f.Root()
		signed, err := note.Sign(&note.Note{Text: origin + "\n" + string(rune('0'+f.Size())) + "\n" + root.String() + "\n"}, s)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	var one, two, fork custody.Frontier
	leaf := custody.LeafHash([]byte("a"))
	one.Append(leaf)
	two.Append(leaf)
	two.Append(custody.LeafHash([]byte("b")))
	fork.Append(custody.LeafHash([]byte("c")))
	path := []custody.Hash{custody.LeafHash([]byte("b"))}
	for _, c := range []struct {
		name   string
		r      custody.WitnessRequest
		status int
		kind   string
		body   string
		want   error
	}{
		{"the first", custody.WitnessRequest{Checkpoint: checkpoint(logKey, one)}, 200, "text/plain; charset=utf-8", "— witness.court.example ", nil},
		{"an extension", custody.WitnessRequest{Old: 1, Path: path, Checkpoint: checkpoint(logKey, two)}, 200, "text/plain; charset=utf-8", "— witness.court.example ", nil},
		{"stale", custody.WitnessRequest{Checkpoint: checkpoint(logKey, two)}, 409, "text/x.tlog.size", "2\n", &custody.StaleError{}},
		{"smaller", custody.WitnessRequest{Old: 1, Checkpoint: checkpoint(logKey, one)}, 409, "text/x.tlog.size", "2\n", &custody.StaleError{}},
		{"old above size", custody.WitnessRequest{Old: 2, Checkpoint: checkpoint(logKey, one)}, 400, "", "", evidence.ErrUnavailable},
		{"another's key", custody.WitnessRequest{Old: 2, Checkpoint: checkpoint(otherKey, two)}, 403, "", "", custody.ErrNotSigned},
		{"another log", custody.WitnessRequest{Checkpoint: bytes.Replace(checkpoint(logKey, two), []byte("log1"), []byte("log2"), 1)}, 404, "", "", custody.ErrUnknownLog},
	} {
		answer, err := http.Post(server.URL+"/add-checkpoint", "text/plain", bytes.NewReader(c.r.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != c.status || c.kind != "" && answer.Header.Get("Content-Type") != c.kind || !strings.HasPrefix(string(body), c.body) {
			t.Errorf("%s: %d %s %q", c.name, answer.StatusCode, answer.Header.Get("Content-Type"), body)
		}
		if c.status == 200 {
			continue // asked again below it would be stale
		}
		lines, err := client.Add(t.Context(), c.r)
		var stale *custody.StaleError
		if _, is := c.want.(*custody.StaleError); is {
			if !errors.As(err, &stale) || stale.Size != 2 {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if !errors.Is(err, c.want) || lines != nil {
			t.Errorf("%s: %q, %v", c.name, lines, err)
		}
	}
	if _, err := client.Add(t.Context(), custody.WitnessRequest{Old: 2, Checkpoint: checkpoint(logKey, two)}); err != nil {
		t.Errorf("once more: %v", err)
	}
	var three custody.Frontier
	for _, x := range []string{"c", "d", "e"} {
		three.Append(custody.LeafHash([]byte(x)))
	}
	if _, err := client.Add(t.Context(), custody.WitnessRequest{Old: 2, Path: path, Checkpoint: checkpoint(logKey, three)}); !errors.Is(err, custody.ErrNoExtension) {
		t.Errorf("a fork: %v", err)
	}
	newest, err := http.Get(server.URL + "/checkpoint?origin=" + origin)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(newest.Body)
	newest.Body.Close()
	if found, err := custody.Cosignatures(body, w.Cosigner()); err != nil || len(found) != 1 || !bytes.HasPrefix(body, checkpoint(logKey, two)) {
		t.Errorf("the newest is %q, %v", body, err)
	}
	for _, request := range [][2]string{{"GET", "/add-checkpoint"}, {"POST", "/checkpoint"}, {"GET", "/checkpoint?origin=x"}, {"GET", "/"}} {
		r, _ := http.NewRequest(request[0], server.URL+request[1], strings.NewReader("x"))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode < 400 {
			t.Errorf("%v: %s", request, answer.Status)
		}
	}
	long, err := http.Post(server.URL+"/add-checkpoint", "text/plain", strings.NewReader(strings.Repeat("x", custody.MaxWitnessRequest+1)))
	if err != nil {
		t.Fatal(err)
	}
	long.Body.Close()
	if long.StatusCode != 400 {
		t.Errorf("too long: %s", long.Status)
	}
	server.Close()
	if _, err := client.Add(t.Context(), custody.WitnessRequest{Old: 2, Checkpoint: checkpoint(logKey, two)}); !errors.Is(err, evidence.ErrUnavailable) {
		t.Errorf("gone: %v", err)
	}
}

func TestAddressesOfWitnesses(t *testing.T) {
	_, key, err := custody.GenerateCosigner("w.example")
	if err != nil {
		t.Fatal(err)
	}
	for address, good := range map[string]bool{
		"https://w.example/": true, "https://w.example/prefix": true, "http://127.0.0.1:8090": true, "http://localhost:1/": true, "http://[::1]:1/": true,
		"http://w.example/": false, "https://user:secret@w.example/": false, "ftp://w.example/": false, "w.example": false, "": false, "https://w.example/?a=b": false,
	} {
		if _, err := NewClient(address, key, nil); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := NewClient("https://w.example/", key, []byte("no PEM")); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("an authority that is none: %v", err)
	}
	if _, err := NewClient("https://w.example/", "no key", nil); !errors.Is(err, evidence.ErrInvalid) {
		t.Errorf("a key that is none: %v", err)
	}
}
