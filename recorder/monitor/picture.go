package monitor

import (
	"strings"

	"github.com/pion/webrtc/v4"
)

// startsPicture reports whether a payload is the first of a random access point.
func startsPicture(mime string, payload []byte) bool {
	if len(payload) == 0 {
		return false
	}
	switch {
	case strings.EqualFold(mime, webrtc.MimeTypeH264):
		return startsH264(payload)
	case strings.EqualFold(mime, webrtc.MimeTypeVP9):
		return startsVP9(payload)
	case strings.EqualFold(mime, webrtc.MimeTypeAV1):
		return payload[0]&0x08 != 0 // N: a new coded video sequence (RTP payload format for AV1, section 4.4)
	}
	return false
}

// startsH264 looks for a sequence parameter set or the start of an IDR slice, as one
// unit, first of an aggregate, or first fragment (RFC 6184 section 5).
func startsH264(b []byte) bool {
	const slice, parameters, aggregate, fragment = 5, 7, 24, 28
	switch b[0] & 31 {
	case slice, parameters:
		return true
	case aggregate:
		for rest := b[1:]; len(rest) > 2; {
			size := int(rest[0])<<8 | int(rest[1])
			if size == 0 || size > len(rest)-2 {
				return false
			}
			if kind := rest[2] & 31; kind == slice || kind == parameters {
				return true
			}
			rest = rest[2+size:]
		}
	case fragment:
		return len(b) > 1 && b[1]&0x80 != 0 && b[1]&31 == slice
	}
	return false
}

// startsVP9 looks for the beginning of a frame that is predicted from none, in its
// lowest layer (RFC 9628 section 4.2).
func startsVP9(b []byte) bool {
	const picture, predicted, layered, begins = 0x80, 0x40, 0x20, 0x08
	first := b[0]
	if first&begins == 0 || first&predicted != 0 {
		return false
	}
	i := 1
	if first&picture != 0 {
		if len(b) <= i {
			return false
		}
		if b[i]&0x80 != 0 { // the picture's number has 15 bits
			i++
		}
		i++
	}
	if first&layered == 0 {
		return true
	}
	return len(b) > i && b[i]>>1&7 == 0
}
