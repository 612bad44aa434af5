package spool

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/toldonce/toldonce/evidence"
)

// Sizes of the file format, in bytes. See FORMAT.md.
const (
	magic       = "TOLDONCE-JOURNAL"
	fileVersion = 1

	saltSize   = 32
	tagSize    = 16
	plainSize  = len(magic) + 2 + 2 + 16 + 8 + 8 + tagSize + saltSize // header without its tag
	headerSize = plainSize + tagSize
	frameSize  = 4           // length before each record
	recordMin  = 1 + tagSize // kind and tag

	// MaxPayload bounds one record, in bytes.
	MaxPayload = 64 << 20
)

// Kinds of records that the journal writes for itself.
const (
	kindEnd     byte = 0xf0 // the file is complete
	kindRelease byte = 0xf1 // positions up to the one inside are not needed any more
	kindMax     byte = 0xef // highest kind that a caller may use
)

// Position numbers the records of one stream of one interview from 1, over all
// its files and restarts. 0 is before the first.
type Position uint64

// Record is one record that was read back.
type Record struct {
	Position Position
	Kind     byte   // 1 to 239, as given to Append
	Payload  []byte // belongs to the callee until it returns
}

// stream tells the two journals of an interview apart.
type stream uint16

const (
	capture stream = 1
	outbox  stream = 2
)

func (s stream) String() string {
	switch s {
	case capture:
		return "capture"
	case outbox:
		return "outbox"
	}
	return fmt.Sprintf("stream %d", uint16(s))
}

// journalKey encrypts both streams of one interview on one node.
type journalKey [32]byte

type tag [tagSize]byte

// fileHeader begins a file. It says where in the stream the file belongs: prev
// is the authentication tag of the record before its first.
type fileHeader struct {
	stream stream
	id     uuid.UUID
	number uint64 // of files of the stream, from 1
	first  Position
	prev   tag
	salt   [saltSize]byte
}

func (h *fileHeader) encode() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, fileVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(h.stream))
	b = append(b, h.id[:]...)
	b = binary.BigEndian.AppendUint64(b, h.number)
	b = binary.BigEndian.AppendUint64(b, uint64(h.first))
	b = append(b, h.prev[:]...)
	return append(b, h.salt[:]...)
}

// errVersion is what a file of a later program yields. It must not be taken for
// a torn one.
var errVersion = errors.New("journal file of a version that this program does not know")

func decodeHeader(b []byte) (fileHeader, error) {
	var h fileHeader
	if len(b) < plainSize || !bytes.Equal(b[:len(magic)], []byte(magic)) {
		return h, fmt.Errorf("%w: not a journal file", evidence.ErrInvalid)
	}
	b = b[len(magic):plainSize]
	if v := binary.BigEndian.Uint16(b); v != fileVersion {
		return h, fmt.Errorf("%w: version %d", errVersion, v)
	}
	h.stream = stream(binary.BigEndian.Uint16(b[2:]))
	copy(h.id[:], b[4:])
	h.number = binary.BigEndian.Uint64(b[20:])
	h.first = Position(binary.BigEndian.Uint64(b[28:]))
	copy(h.prev[:], b[36:])
	copy(h.salt[:], b[36+tagSize:])
	return h, nil
}

// sequence is the cipher state of one file: its own key, and the place of the
// next record. The key is derived from a random salt, so that no two files, nor
// two attempts at one, ever share a key, and a counter is a safe nonce.
type sequence struct {
	aead  cipher.AEAD
	index uint64 // of the next record in the file; the header's tag is 0
	last  tag    // of the record before
}

func newSequence(key journalKey, header []byte) (*sequence, error) {
	salt := header[plainSize-saltSize : plainSize]
	fileKey, err := hkdf.Key(sha256.New, key[:], salt, "toldonce/journal/v1\x00"+string(header[:plainSize]), 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(fileKey)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sequence{aead: aead}, nil
}

func (s *sequence) nonce() []byte {
	var n [12]byte
	binary.BigEndian.PutUint64(n[4:], s.index)
	return n[:]
}

// begin returns the file's header with its tag.
func begin(key journalKey, h fileHeader) (*sequence, []byte, error) {
	rand.Read(h.salt[:])
	return beginWithSalt(key, h)
}

func beginWithSalt(key journalKey, h fileHeader) (*sequence, []byte, error) {
	header := h.encode()
	s, err := newSequence(key, header)
	if err != nil {
		return nil, nil, err
	}
	header = s.aead.Seal(header, s.nonce(), nil, header)
	s.advance(header)
	return s, header, nil
}

func (s *sequence) advance(sealed []byte) {
	copy(s.last[:], sealed[len(sealed)-tagSize:])
	s.index++
}

// associated binds a record to the one before it and to its length.
func (s *sequence) associated(length []byte) []byte {
	var ad [tagSize + frameSize]byte
	copy(ad[:], s.last[:])
	copy(ad[tagSize:], length)
	return ad[:]
}

// append encrypts one record onto dst.
func (s *sequence) append(dst []byte, kind byte, payload []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(1+len(payload)+tagSize))
	start := len(dst)
	ad := s.associated(dst[start-frameSize:])
	dst = append(dst, kind)
	dst = append(dst, payload...)
	dst = s.aead.Seal(dst[:start], s.nonce(), dst[start:], ad)
	s.advance(dst)
	return dst
}

// fileReader reads the records of one file.
type fileReader struct {
	header fileHeader
	seq    *sequence
	r      io.Reader
	good   int64 // bytes up to the end of the last authentic record
	buf    []byte
}

// errCut means that no further record of the file is authentic.
var errCut = errors.New("no further authentic record")

// readHeader returns the reader of a file's records once its header proved
// authentic. Any error but that of a failing disk wraps [errCut] or [errVersion].
func readHeader(key journalKey, r io.Reader) (*fileReader, error) {
	raw := make([]byte, headerSize)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, cutAtEOF(err)
	}
	h, err := decodeHeader(raw)
	if errors.Is(err, errVersion) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", errCut, err)
	}
	s, err := newSequence(key, raw)
	if err != nil {
		return nil, err
	}
	if _, err := s.aead.Open(nil, s.nonce(), raw[plainSize:], raw[:plainSize]); err != nil {
		return nil, errCut
	}
	s.advance(raw)
	return &fileReader{header: h, seq: s, r: r, good: int64(headerSize)}, nil
}

// next returns the next authentic record. The payload is overwritten by the
// following call. The error is io.EOF at the exact end of the file, errCut
// where anything else follows, or that of a failing disk.
func (f *fileReader) next() (kind byte, payload []byte, err error) {
	var frame [frameSize]byte
	switch n, err := io.ReadFull(f.r, frame[:]); {
	case err == io.EOF && n == 0:
		return 0, nil, io.EOF
	case err != nil:
		return 0, nil, cutAtEOF(err)
	}
	length := int64(binary.BigEndian.Uint32(frame[:]))
	if length < recordMin || length > MaxPayload+recordMin {
		return 0, nil, errCut
	}
	if err := f.fill(length); err != nil {
		return 0, nil, err
	}
	sealed := f.buf
	plain, err := f.seq.aead.Open(nil, f.seq.nonce(), sealed, f.seq.associated(frame[:]))
	if err != nil {
		return 0, nil, errCut
	}
	f.seq.advance(sealed)
	f.good += frameSize + length
	return plain[0], plain[1:], nil
}

// fill reads n bytes into buf, growing it with what is really there: the length
// is not authentic yet and may ask for more than the file holds.
func (f *fileReader) fill(n int64) error {
	f.buf = f.buf[:0]
	for int64(len(f.buf)) < n {
		at := len(f.buf)
		step := min(n-int64(at), 1<<20)
		if int64(cap(f.buf)) < int64(at)+step {
			f.buf = append(make([]byte, 0, 2*(int64(at)+step)), f.buf...)
		}
		f.buf = f.buf[:int64(at)+step]
		if _, err := io.ReadFull(f.r, f.buf[at:]); err != nil {
			return cutAtEOF(err)
		}
	}
	return nil
}

func cutAtEOF(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}
