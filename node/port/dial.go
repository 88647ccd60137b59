package port

import (
	"context"
	"fmt"

	"earshot/node/identity"
)

// Dial connects to address (host:port) and is admitted there. It never waits longer than ctx or identity.AdmissionTimeout, which
// bounds connecting and admission together. want, if not nil, is the only key accepted.
func (p *Port) Dial(ctx context.Context, address, proto string, want *identity.PeerID) (*identity.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, identity.AdmissionTimeout)
	defer cancel()
	raw, err := p.net.Dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	c, err := p.gate.Dial(ctx, raw, proto, want)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return c, nil
}
