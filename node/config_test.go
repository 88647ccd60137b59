package node_test

import (
	"slices"
	"testing"

	"earshot/node"
)

// What people give by hand has a port or not, and brackets or not.
func TestJoins(t *testing.T) {
	for given, want := range map[string]string{
		"10.0.0.7":           "10.0.0.7:4327",
		"10.0.0.7:99":        "10.0.0.7:99",
		"harry.local":        "harry.local:4327",
		"harry.local:99":     "harry.local:99",
		"fe80::1%eth0":       "[fe80::1%eth0]:4327",
		"[fe80::1%eth0]":     "[fe80::1%eth0]:4327",
		"[fe80::1%eth0]:99":  "[fe80::1%eth0]:99",
		"2001:db8::1":        "[2001:db8::1]:4327",
		"[2001:db8::1]":      "[2001:db8::1]:4327",
		"[2001:db8::1]:4327": "[2001:db8::1]:4327",
	} {
		c := node.Config{Join: []string{"first:1", given}}
		if got := c.Joins(); !slices.Equal(got, []string{"first:1", want}) {
			t.Errorf("%s: %v, not %s", given, got, want)
		}
	}
	if got := new(node.Config).Joins(); got != nil {
		t.Errorf("%v from none", got)
	}
}
