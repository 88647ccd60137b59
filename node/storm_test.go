package node_test

import (
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node/nodetest/storm"
)

var (
	storms       = flag.Int("storms", defaultStorms, "how many storms to run")
	stormSeconds = flag.Int("storm-seconds", 20, "how long each lasts, in virtual seconds")
	stormSeed    = flag.Uint64("storm-seed", 1, "the first storm's seed; the others' follow. Every fourth is on the open network")
	stormTrace   = flag.Bool("storm-trace", false, "write what happened into the temporary folder, whether it failed or not")
)

// TestStorms runs whole nodes through crashes, power cuts, partitions, resets, loss, slow and lost disks, and checks that nothing is lost, doubled or out of order.
func TestStorms(t *testing.T) {
	for i := range *storms {
		seed := *stormSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				storm.Run(t, storm.Config{Seed: seed, Length: time.Duration(*stormSeconds) * time.Second, Open: seed%4 == 0, Trace: *stormTrace})
			})
		})
	}
}
