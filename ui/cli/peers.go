package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"time"

	"earshot/node/identity"
)

// Peers is the file of addresses at which peers were met, for a next start where nothing can be found by multicast. It knows addresses of
// several networks, tells of one, and forgets what was not met for a month. One goroutine may use it at a time.
type Peers struct {
	file, network string
}

// What is kept of one network, and for how long.
const (
	maxPeers  = 32
	peersAge  = 30 * 24 * time.Hour
	peersFile = "peers.json"
	maxFile   = 64 << 10
)

type metAt struct {
	Network string         `json:"network"`
	Address netip.AddrPort `json:"address"`
	Seen    time.Time      `json:"seen"`
}

// Load returns the addresses met within a month before now, the latest first. A file that cannot be read as one is as good as none.
func (p *Peers) Load(now time.Time) ([]netip.AddrPort, error) {
	all, err := p.read()
	if err != nil {
		return nil, err
	}
	var addresses []netip.AddrPort
	for _, m := range all {
		if m.Network == p.network && now.Sub(m.Seen) < peersAge && m.Address.IsValid() && len(addresses) < maxPeers {
			addresses = append(addresses, m.Address)
		}
	}
	return addresses, nil
}

// Save keeps the addresses met by now, best first, beside those met before.
func (p *Peers) Save(now time.Time, met []netip.AddrPort) error {
	all, err := p.read()
	if err != nil {
		return err
	}
	var kept []metAt
	count := map[string]int{}
	add := func(m metAt) {
		same := func(k metAt) bool { return k.Network == m.Network && k.Address == m.Address }
		if now.Sub(m.Seen) < peersAge && count[m.Network] < maxPeers && !slices.ContainsFunc(kept, same) {
			kept = append(kept, m)
			count[m.Network]++
		}
	}
	for _, a := range met {
		add(metAt{p.network, a, now.UTC().Truncate(time.Second)})
	}
	for _, m := range all {
		add(m)
	}
	text, err := json.MarshalIndent(kept, "", "\t")
	if err == nil {
		err = identity.Replace(p.file, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("remember peers: %w", err)
	}
	return nil
}

func (p *Peers) read() ([]metAt, error) {
	f, err := os.Open(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("remembered peers: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("remembered peers: %w", err)
	}
	var all []metAt
	if json.Unmarshal(text, &all) != nil {
		return nil, nil
	}
	return all, nil
}
