package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/gowebpki/jcs"
)

// MaxInteger is the largest magnitude of an integer in a signed document: what
// every JSON reader holds exactly (RFC 8785 section 3.2.2.3, I-JSON). Larger
// values are written as hex strings.
const MaxInteger = 1<<53 - 1

// Canonical returns the JCS bytes (RFC 8785) of v. It returns an error wrapping
// [ErrInvalid] for floats and for integers beyond ±[MaxInteger], which JCS
// libraries round differently. Safe for concurrent use.
func Canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	if err := checkNumbers(raw); err != nil {
		return nil, err
	}
	out, err := jcs.Transform(raw)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w: %v", ErrInvalid, err)
	}
	return out, nil
}

// DecodeCanonical reads data into v and demands that data is exactly the
// canonical encoding of one JSON value, that v knows every field, and that
// encoding v again yields the same bytes. It returns an error wrapping
// [ErrInvalid] otherwise, never panics, and is fuzzed.
func DecodeCanonical(data []byte, v any) error {
	if err := checkNumbers(data); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %v", ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes after the document", ErrInvalid)
	}
	again, err := Canonical(v)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, data) {
		return fmt.Errorf("%w: not the canonical encoding", ErrInvalid)
	}
	return nil
}

func checkNumbers(raw []byte) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %v", ErrInvalid, err)
		}
		n, ok := tok.(json.Number)
		if !ok {
			continue
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil || i > MaxInteger || i < -MaxInteger {
			return fmt.Errorf("%w: number %s is not an integer within ±(2^53-1)", ErrInvalid, n)
		}
	}
}
