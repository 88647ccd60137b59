//go:build !race

package discovery

import (
	"flag"
	"os"
	"testing"
)

// TestMain has four stories told at once, unless -parallel says how many, on however few processors: they wait most of the time. With the race detector it is as many as there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", "4")
	}
	os.Exit(m.Run())
}
