package node_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest/storm"
)

var (
	storms       = flag.Int("storms", defaultStorms, "how many storms to run")
	stormSeconds = flag.Int("storm-seconds", 8, "how long each lasts, in virtual seconds")
	stormSeed    = flag.Uint64("storm-seed", 1, "the first storm's seed; the others' follow. Every fourth is on the open network")
	stormOnly    = flag.String("storm-only", "", "the families of faults, separated by commas; empty: as each seed draws them. There are "+strings.Join(storm.Families(), " "))
	stormSealed  = flag.Bool("storm-sealed", false, "say something in direct conversations and in a private room, too, whether that was drawn or not")
	stormTrace   = flag.Bool("storm-trace", false, "write what happened into the temporary folder, whether it failed or not")
)

// TestStorms runs whole nodes through crashes, power cuts, partitions, resets, loss, frozen processes, wrong clocks, slow, full and lost disks, and checks that nothing is lost,
// doubled or out of order, and, in some, that sealed rooms are read by whom they are for and nobody else. More of it: go test ./node -run Storms -storms 1000 -storm-seconds 60, with TMPDIR in memory.
func TestStorms(t *testing.T) {
	var only []string
	if *stormOnly != "" {
		only = strings.Split(*stormOnly, ",")
	}
	for _, family := range only {
		if !slices.Contains(storm.Families(), family) {
			t.Fatalf("-storm-only: no family of faults is called %q", family)
		}
	}
	for i := range *storms {
		seed := *stormSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				storm.Run(t, storm.Config{Seed: seed, Length: time.Duration(*stormSeconds) * time.Second, Open: seed%4 == 0, Only: only, Sealed: *stormSealed, Trace: *stormTrace})
			})
		})
	}
}
