// Package signalling is what WHIP (RFC 9725) and WHEP (a draft) have in common: an
// offer is answered once, and from then on SDP fragments add candidates or restart
// ICE, guarded by an entity tag.
package signalling
