//go:build !js

package verify

// hashedElsewhere says that another program hashes pieces meanwhile.
const hashedElsewhere = false

func pieceSum(data []byte) string { return sum256(data) }
