package envelope

import "strings"

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// encodeBech32 encodes data under the human-readable part hrp, which must be
// lower case, with the checksum of BIP 173 and, as age does, without its limit
// of 90 characters.
func encodeBech32(hrp string, data []byte) string {
	values := make([]byte, 0, (len(data)*8+4)/5+6)
	var acc uint32
	var bits uint
	for _, b := range data {
		acc = acc<<8 | uint32(b)
		bits += 8
		for bits >= 5 {
			bits -= 5
			values = append(values, byte(acc>>bits)&31)
		}
	}
	if bits > 0 {
		values = append(values, byte(acc<<(5-bits))&31)
	}

	sum := bech32Checksum(hrp, values)
	var out strings.Builder
	out.Grow(len(hrp) + 1 + len(values) + len(sum))
	out.WriteString(hrp)
	out.WriteByte('1')
	for _, v := range values {
		out.WriteByte(bech32Alphabet[v])
	}
	for _, v := range sum {
		out.WriteByte(bech32Alphabet[v])
	}
	return out.String()
}

func bech32Checksum(hrp string, values []byte) [6]byte {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for i := range len(hrp) {
		step(hrp[i] >> 5)
	}
	step(0)
	for i := range len(hrp) {
		step(hrp[i] & 31)
	}
	for _, v := range values {
		step(v)
	}
	for range 6 {
		step(0)
	}
	sum ^= 1
	var out [6]byte
	for i := range out {
		out[i] = byte(sum>>(5*(5-i))) & 31
	}
	return out
}
