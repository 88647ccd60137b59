package node

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"earshot/node/election"
	"earshot/node/identity"
	"earshot/node/port"
)

// Software is what HELLO says of this program, for people.
const Software = "earshot 0.1"

// Config of a Node. The zero value of a field is its default.
type Config struct {
	// Dir is the profile's folder; made where it is missing. HostDir is the folder of the machine's id, beside the profiles; empty: Dir's parent.
	Dir, HostDir string
	// Nick for this and later starts; empty: the one used last, or DefaultNick.
	Nick        string
	DefaultNick string
	Network     *identity.Network // nil: the open network "lobby"
	// Previous are the networks of this name by the keys that it had before, the newest first: their history is shown, as far as this profile has it.
	Previous []*identity.Network
	// Key returns the key of a closed network, and Succeed stores the next one in its place (identity.Keys); where either is nil, or no history is kept, the key cannot be changed.
	Key     func() string
	Succeed func(old, key string) error
	// Beside, if set, makes this node a courier of that one, which is in the same network by a later key: the same person, with the same profile, which that one keeps locked. It says nothing, keeps
	// nothing, and is the hub only of those who cannot be. See Deliver.
	Beside *Node
	// Port asked for; 0: the default or the next that is free.
	Port int
	// Net is what the port stands on; nil: the operating system's.
	Net port.Net
	// ServerOnly prefers this node as the hub, and shows it as a box, not a person. NeverHub: it never is.
	ServerOnly bool
	NeverHub   bool
	// NoHistory keeps nothing of what is said on disk, and in memory no more than Memory bytes of it; 0: 64 MiB.
	NoHistory bool
	Memory    int
	// Join are host[:port] of hubs to reach by hand; see Joins.
	Join []string
	// Remembered are addresses at which peers of this network were met before.
	Remembered []netip.AddrPort
	// Rate bounds an author's messages per second (burst four times that); 0: 5, negative: none. PerIP bounds links per remote IP; 0: 8, negative: none.
	Rate  float64
	PerIP int
	// Keep is how long history is kept; 0: 365 days.
	Keep time.Duration
	// Clock is the machine's, which people set and which may be wrong; nil: time.Now. How long something takes is never measured with it.
	Clock func() time.Time
	Log   *slog.Logger
	// Copied is the memory of the process that this one is a copy of, where a test copies a running machine; a session that is zero is drawn anew.
	Copied Memory
}

// Joins are the addresses in Join, host:port each: the port is DefaultPort where none is given. An IPv6 address without a port may have its brackets or not.
func (c *Config) Joins() []string {
	var out []string
	for _, a := range c.Join {
		if _, _, err := net.SplitHostPort(a); err != nil {
			a = net.JoinHostPort(strings.Trim(a, "[]"), strconv.Itoa(port.Default))
		}
		out = append(out, a)
	}
	return out
}

// class is how this node ranks as a hub.
func (c *Config) class() election.Class {
	switch {
	case c.NeverHub:
		return election.Never
	case c.ServerOnly:
		return election.Dedicated
	}
	return election.Ordinary
}

const defaultRate = 5 // messages a second: faster than anyone reads
