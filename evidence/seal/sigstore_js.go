package seal

// sigstoreVerify asks nobody in a browser: Sigstore's own verifier does not run
// there. Everything that it looks at is checked before, by [CheckBundle] itself.
func sigstoreVerify(BundleInput, Signer, TimeAuthority) error { return nil }
