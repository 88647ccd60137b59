package hostile

import (
	"crypto/rand"
	"time"

	"earshot/node/identity"
	"earshot/node/journal"
	"earshot/node/message"
	"earshot/node/wire"
)

// A Log is what somebody writes in one room today: chained, numbered and signed as it should be, unless a test changes what it returns.
type Log struct {
	Who     *identity.Identity
	Opening message.Opening
	Seq     uint64       // of the last message
	Tip     message.Hash // its header's
	HLC     uint64
}

// Now is the stamp of this moment.
func Now() uint64 { return uint64(time.Now().UnixMilli()) << 16 }

// NewLog begins a log in a public room called name, or where that is empty in the sealed room.
func NewLog(who *identity.Identity, network identity.NetworkID, nick, name string, room message.RoomID) *Log {
	o := message.Opening{Network: network, Group: message.GroupID(room), Room: room, Author: who.ID(), Day: uint32(time.Now().Unix() / 86400), Nick: nick, Name: name}
	if name != "" {
		o.Group, o.Room = message.Public, message.Room(name)
	}
	rand.Read(o.Nonce[:])
	return &Log{Who: who, Opening: o, Tip: o.Hash()}
}

// ID is the log's.
func (l *Log) ID() message.LogID { return l.Opening.Log() }

// Next is where the next message stands.
func (l *Log) Next() journal.Place {
	l.HLC = max(l.HLC+1, Now())
	return journal.Place{Key: journal.Key{HLC: l.HLC, Log: l.ID(), Seq: l.Seq + 1}, Prev: l.Tip, Room: l.Opening.Room, Author: l.Who.ID()}
}

// Says is the run of one message at the place that Next returned last; the log goes on after it.
func (l *Log) Says(k message.Kind, body []byte) *message.Run {
	r := l.Run(message.Body(max(l.HLC, 1), k, body))
	hashes := r.Hashes()
	l.Seq, l.Tip = r.Last(), hashes[len(hashes)-1]
	return r
}

// Run is what would go on the log, signed; the log does not go on.
func (l *Log) Run(records ...message.Record) *message.Run {
	r := &message.Run{Log: l.ID(), First: l.Seq + 1, Prev: l.Tip, Records: records}
	if l.Seq == 0 {
		o := l.Opening
		r.Opening, r.Prev = &o, message.Hash{}
	}
	r.Sign(l.Who)
	return r
}

// Text is the frame of a text said live.
func (l *Log) Text(text string) []byte {
	l.Next()
	return Frame(wire.TypeRun, l.Says(message.Text, []byte(text)))
}

// Frame is a run as it travels.
func Frame(t wire.Type, r *message.Run) []byte { return wire.AppendFrame(nil, t, r.Append(nil)) }
