package lab_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"earshot/node/lab"
)

// TestAddressChanges: the hub gets another address, and then a member. Connections to the old one are dead, and nothing says so.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	l := lab.New(t, 4)
	all := inTurn(t, l, 3)
	say(all[0], "before")
	lines := []string{"before"}
	haveAll(t, l, lines, all...)
	for _, host := range []int{1, 3} {
		began := time.Now()
		l.Host(host).Move(netip.AddrFrom4([4]byte{10, 77, 1, byte(host)}))
		for i, p := range all {
			words := numbers(fmt.Sprintf("%d moved, %d says", host, i+1), 5)
			lines = append(lines, words...)
			for _, text := range words {
				say(p, text)
			}
		}
		haveAll(t, l, lines, all...)
		together(t, l, 4*soon, all...)
		t.Logf("together %v after host %d got another address", time.Since(began).Round(time.Millisecond), host)
	}
	newcomer := start(l, 4)
	together(t, l, 4*soon, append(all, newcomer)...)
	haveAll(t, l, lines, newcomer)
}
