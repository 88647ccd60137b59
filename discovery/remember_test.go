package discovery

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "peers.json")
		recall := func(want ...netip.AddrPort) {
			t.Helper()
			if got, err := Recall(file); err != nil || !slices.Equal(got, want) {
				t.Errorf("recalled %v, %v; want %v", got, err, want)
			}
		}
		remember := func(addrs ...netip.AddrPort) {
			t.Helper()
			if err := Remember(file, addrs); err != nil {
				t.Error(err)
			}
		}
		a, b, c := addrPort("10.0.0.1:4327"), addrPort("[fe80::1%eth0]:4328"), addrPort("[fd00::1]:4327")
		recall()
		remember(a, b, netip.AddrPort{}, a)
		recall(a, b)
		time.Sleep(20 * 24 * time.Hour)
		remember(c, b)
		recall(c, b, a)
		time.Sleep(10 * 24 * time.Hour)
		recall(c, b)
		time.Sleep(20 * 24 * time.Hour)
		recall()

		var many, first []netip.AddrPort
		for i := range 100 {
			many = append(many, addrPort(fmt.Sprintf("10.0.1.%d:1", i)))
		}
		first = many[:maxRemembered]
		remember(many...)
		recall(first...)
		if runtime.GOOS != "windows" {
			if i, err := os.Stat(file); err != nil || i.Mode() != 0o600 {
				t.Errorf("%v %v", i.Mode(), err)
			}
		}
		if left, _ := os.ReadDir(filepath.Dir(file)); len(left) != 1 {
			t.Errorf("beside the file there is %v", left)
		}
	})
}

// A damaged file is an error once, and replaced at the next write.
func TestRememberDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "peers.json")
	for _, content := range []string{"", "[", `{"a":1}`, `[{"address":"nonsense"}]`, "[" + string(make([]byte, 1<<20))} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Recall(file); err == nil {
			t.Errorf("%.20q is read as %v", content, got)
		}
		want := []netip.AddrPort{addrPort("10.0.0.1:1")}
		if err := Remember(file, want); err != nil {
			t.Error(err)
		}
		if got, err := Recall(file); err != nil || !slices.Equal(got, want) {
			t.Errorf("after %.20q: %v, %v", content, got, err)
		}
	}
	if err := Remember(filepath.Join(file, "x"), nil); err == nil {
		t.Error("no error where it cannot be written")
	}
}

// A clock that was a year ahead makes nothing last a year.
func TestRememberFuture(t *testing.T) {
	now := time.Now()
	kept := tidy([]meeting{{addrPort("10.0.0.1:1"), now.AddDate(1, 0, 0)}}, now)
	if len(kept) != 1 || kept[0].Met.After(now) {
		t.Errorf("%v", kept)
	}
}
