// Package objects keeps ciphertext: segments, pages and documents, each written
// once and never changed. There are two stores with one contract: a local
// directory, and any S3 server with Object Lock, which alone can keep an
// administrator of the storage from deleting (P21, P34).
//
// A key is one or more parts of a-z, 0-9, dot, dash and underscore, joined by
// slashes, at most 512 bytes; no part begins with a dot. It never names a person.
package objects
