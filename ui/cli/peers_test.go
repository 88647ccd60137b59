package cli

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestPeers(t *testing.T) {
	file := filepath.Join(t.TempDir(), peersFile)
	lobby, office := &Peers{file, "lobby"}, &Peers{file, "office"}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	save := func(p *Peers, now time.Time, addresses ...netip.AddrPort) {
		t.Helper()
		if err := p.Save(now, addresses); err != nil {
			t.Fatal(err)
		}
	}
	want := func(p *Peers, now time.Time, addresses ...netip.AddrPort) {
		t.Helper()
		if got, err := p.Load(now); err != nil || !slices.Equal(got, addresses) {
			t.Errorf("remembered %v (%v), want %v", got, err, addresses)
		}
	}
	a, b, c := netip.MustParseAddrPort("10.0.0.1:4327"), netip.MustParseAddrPort("[fe80::1%eth0]:4327"), netip.MustParseAddrPort("10.0.0.3:4328")

	want(lobby, day(1))
	save(lobby, day(1), a, b)
	save(office, day(1), c)
	want(lobby, day(1), a, b)
	want(office, day(1), c)
	save(lobby, day(20), b)
	want(lobby, day(20), b, a)
	save(lobby, day(20)) // a start that met nobody forgets nobody
	want(lobby, day(30), b, a)
	want(lobby, day(31), b) // a month after a was met

	var many []netip.AddrPort
	for i := range 40 {
		many = append(many, netip.MustParseAddrPort(fmt.Sprintf("10.0.1.%d:4327", i)))
	}
	save(lobby, day(21), many...)
	want(lobby, day(21), many[:maxPeers]...)
	want(office, day(21), c)

	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read %v (%v)", info.Mode(), err)
	}
	for _, broken := range []string{"", "{", "[{}]", `[{"address":"x"}]`, "null"} {
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		want(lobby, day(21))
		save(lobby, day(21), a)
		want(lobby, day(21), a)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
