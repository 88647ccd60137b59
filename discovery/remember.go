package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	maxRemembered    = 32
	rememberedFor    = 30 * 24 * time.Hour
	maxRememberBytes = 16 << 10
)

// A meeting is one line of the file of remembered addresses.
type meeting struct {
	Address netip.AddrPort `json:"address"`
	Met     time.Time      `json:"met"`
}

// Recall returns the addresses at which peers were met in the last 30 days, at most 32, the latest first: where multicast is blocked, they are the way back. A
// file that does not exist holds none.
func Recall(file string) ([]netip.AddrPort, error) {
	met, err := readMeetings(file, time.Now())
	var addrs []netip.AddrPort
	for _, m := range met {
		addrs = append(addrs, m.Address)
	}
	return addrs, err
}

// Remember writes to file that peers were met at addrs, best first, just now, and keeps what it held besides, as far as Recall would return it. A file
// that cannot be read is replaced. Only one process may write to a file at a time.
func Remember(file string, addrs []netip.AddrPort) error {
	now := time.Now()
	old, _ := readMeetings(file, now)
	var met []meeting
	for _, a := range addrs {
		met = append(met, meeting{a, now})
	}
	b, err := json.MarshalIndent(tidy(append(met, old...), now), "", "\t")
	if err == nil {
		err = replace(file, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember peers: %w", err)
	}
	return nil
}

func readMeetings(file string, now time.Time) ([]meeting, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("recall peers: %w", err)
	}
	defer f.Close()
	var met []meeting
	if err := json.NewDecoder(io.LimitReader(f, maxRememberBytes)).Decode(&met); err != nil {
		return nil, fmt.Errorf("recall peers: %s: %w", file, err)
	}
	return tidy(met, now), nil
}

// tidy drops what is invalid, doubled, too old or too much. A clock that was ahead makes nothing last longer.
func tidy(met []meeting, now time.Time) (kept []meeting) {
	for _, m := range met {
		if m.Met.After(now) {
			m.Met = now
		}
		known := slices.ContainsFunc(kept, func(k meeting) bool { return k.Address == m.Address })
		if m.Address.IsValid() && !known && now.Sub(m.Met) < rememberedFor && len(kept) < maxRemembered {
			kept = append(kept, m)
		}
	}
	return kept
}

// replace writes a file whole or not at all, readable by its owner only.
func replace(file string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
