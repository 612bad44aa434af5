package access

import "testing"

func TestPolicyFitsItsSchema(t *testing.T) {
	if _, err := loadRules(policyText, schemaText); err != nil {
		t.Fatal(err)
	}
}
