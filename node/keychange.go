package node

import (
	"errors"
	"strings"
	"time"

	"earshot/node/identity"
)

// found makes a new key, writes down who is to have it, and stores it. Done half-way, the network has its old key still, and what was written is of one that nobody knows.
func (p *profile) found(network *identity.Network, old string, me ticked, in []Holder, succeed func(old, key string) error) (next *identity.Network, key string, err error) {
	key = identity.NewKey()
	if next, err = identity.NewNetwork(network.Name(), []byte(key)); err != nil {
		return nil, "", err
	}
	now := time.Now()
	r := &rotation{Made: now.UTC().Truncate(time.Second), Since: now.UTC().Truncate(time.Second), By: me.Key, Of: []string{idHex(network.ID())}, People: []ticked{me}}
	for _, h := range in {
		nick, _, _ := strings.Cut(h.Nick, "~")
		r.People = append(r.People, ticked{Key: peerHex(h.ID), Nick: nick})
	}
	here, err := p.readRotation(network.ID())
	if err != nil {
		return nil, "", err
	}
	if len(here.waits(now)) > 0 { // who is waited for still is in one of these
		r.Of = append(r.Of, here.Of...)
	}
	if err := writeJSON(p.rotationPath(next.ID()), r); err != nil {
		return nil, "", err
	}
	return next, key, succeed(old, key)
}

// A KeyChange is Rotate for a profile that no process uses: it holds the profile's lock until Close.
type KeyChange struct {
	config  Config
	profile *profile
	me      ticked
	// Holders are all who are known in the network, by nick.
	Holders []Holder
}

// OpenKeyChange needs of the Config Dir, Network, Key and Succeed. Errors that a user can do something about are *Error, with ErrInUse as its cause where a process uses the profile.
func OpenKeyChange(c Config) (*KeyChange, error) {
	p, err := openProfile(c.Dir)
	if err != nil {
		return nil, err
	}
	k := &KeyChange{config: c, profile: p}
	if err := k.load(); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *KeyChange) load() error {
	network := k.config.Network.ID()
	who, err := identity.Load(k.config.Dir)
	if err != nil {
		return err
	}
	known, err := openContacts(k.profile.contacts(network), true, who.ID(), k.config.Log)
	if err != nil {
		return err
	}
	here, err := k.profile.readRotation(network)
	k.Holders = holders(known, here, who.ID())
	k.me = ticked{Key: peerHex(who.ID()), Nick: k.profile.nick(), Has: true}
	return err
}

// Rotate changes the key for this person and those given.
func (k *KeyChange) Rotate(in []Holder) error {
	_, _, err := k.profile.found(k.config.Network, k.config.Key(), k.me, in, k.config.Succeed)
	return err
}

// Close releases the profile.
func (k *KeyChange) Close() error { return k.profile.close() }
