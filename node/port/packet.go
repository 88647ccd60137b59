package port

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"
)

// maxPacket holds any UDP packet, so that none is cut short unseen.
const maxPacket = 65535

// sendTimeout bounds one Send: a full socket buffer empties in milliseconds, or the interface is stuck.
const sendTimeout = time.Second

// packets hands out UDP packets until the socket is closed. What is empty or of an unknown kind is dropped; so is an error of one
// packet (Windows reports a reset where an earlier one met a closed port).
func (p *Port) packets(ctx context.Context) {
	buffer := make([]byte, maxPacket)
	for {
		n, from, err := p.packet(buffer)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			p.log.Debug("cannot receive a packet", "err", err)
			pause(ctx, time.Millisecond)
			continue
		}
		if n == 0 {
			continue
		}
		if receive := p.receive[buffer[0]]; receive != nil {
			receive(slices.Clone(buffer[:n]), from)
		}
	}
}

// packet waits for the next one.
func (p *Port) packet(b []byte) (int, netip.AddrPort, error) {
	if p.quick != nil {
		return p.quick.receive(b)
	}
	n, from, err := p.socket.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return n, addrPort(from), nil
}

// Send sends one UDP packet from the port.
func (p *Port) Send(b []byte, to netip.AddrPort) error {
	if p.quick != nil && p.quick.send(b, to) {
		return nil
	}
	// Several may send at once: each moves the common deadline further, which harms nobody.
	if err := p.socket.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := p.socket.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}
