package disclosure

import (
	"bytes"
	"fmt"

	"github.com/toldonce/toldonce/evidence"
	"github.com/toldonce/toldonce/evidence/seal"
)

// olderSigner adds the public key of a recording that was sealed before the seal
// key was rotated, and its certificate, to a package's certificates.
func olderSigner(files map[string][]byte, trust *seal.Trust, keyID string) error {
	if trust.Signers[0].KeyID == keyID {
		return nil
	}
	if _, known := trust.Signer(keyID); !known {
		return fmt.Errorf("%w: the trust file does not name the key that sealed the recording", evidence.ErrMissingState)
	}
	all, err := trust.Files()
	if err != nil {
		return err
	}
	for _, name := range OlderSigner(keyID) {
		content, ok := all[name]
		if !ok {
			return fmt.Errorf("%w: the older seal key has no certificate", evidence.ErrMissingState)
		}
		files[CertificatesFolder+name] = content
	}
	return nil
}

// OlderSigner names the two certificate files of a recording that was sealed with
// another key than its package.
func OlderSigner(keyID string) []string {
	key, certificate := seal.OlderSignerFiles(keyID)
	return []string{key, certificate}
}

// forSigner writes the commands about the recording's seal for the key that made
// it, where that is not the package's.
func forSigner(commands []byte, trust *seal.Trust, keyID string) []byte {
	if trust.Signers[0].KeyID == keyID {
		return commands
	}
	key, _ := seal.OlderSignerFiles(keyID)
	var out []byte
	for line := range bytes.Lines(commands) {
		if bytes.Contains(line, []byte(RecordingSeal+".")) {
			line = bytes.ReplaceAll(line, []byte("/"+seal.SignerKeyFile+"\""), []byte("/"+key+"\""))
		}
		out = append(out, line...)
	}
	return out
}
