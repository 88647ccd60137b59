package instance_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"earshot/node"
	"earshot/node/nodetest"
	"earshot/node/nodetest/instance"
)

// TestStory is the shortest story that uses all that an Instance can do.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lan := nodetest.New(1)
		alice := instance.Start(t, lan, "alice", node.Config{})
		bob := instance.Start(t, lan, "bob", node.Config{})
		hub := instance.Meet(t, 5*time.Second, alice, bob)
		other := alice
		if hub == alice {
			other = bob
		}
		hub.Say("one")
		instance.Until(t, time.Second, "the other hears it", func() bool { return slices.Equal(other.Heard(instance.Lobby), []string{"one"}) })

		hub.Crash()
		other.Say("two")
		instance.Until(t, 5*time.Second, "the other serves", other.Serving)
		again := instance.Start(t, lan, hub.Name, node.Config{})
		if instance.Meet(t, 5*time.Second, other, again) != other {
			t.Error("the crashed hub took its seat back")
		}
		want := []string{hub.Name + ": one", other.Name + ": two"}
		instance.Until(t, 5*time.Second, "both show both lines", func() bool {
			return slices.Equal(again.Lines(instance.Lobby), want) && slices.Equal(other.Lines(instance.Lobby), want)
		})
		other.Stop()
		instance.Until(t, 5*time.Second, "the last one serves", again.Serving)
	})
}
