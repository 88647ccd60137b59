// Earshot lets the people on a local network chat: instances find each other, elect one of themselves to be the hub, and keep the history together.
//
// Here the parts are put together: node takes part, discovery finds others for it, ui or ui/plain shows it. What the user asked for comes from
// ui/cli, which also says what went wrong.
package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"earshot/discovery"
	"earshot/node"
	"earshot/node/identity"
	"earshot/ui"
	"earshot/ui/cli"
	"earshot/ui/plain"
	"earshot/ui/rescue"
)

func main() {
	if rescue.Watching() {
		return
	}
	os.Exit(cli.Main(os.Args[1:], run))
}

// run does what was asked for: mostly it takes part until the user quits or ctx ends. Then everything says goodbye, and has stopped when run returns.
func run(ctx context.Context, s *cli.Setup) error {
	switch s.Task {
	case cli.Doctor:
		return diagnose(ctx, s)
	case cli.Who:
		return listPeers(ctx, s)
	}
	s.Node.Remembered = remembered(s)
	front, err := node.NewFront(s.Node)
	if err != nil {
		return err
	}
	guard := &ui.Guard{}
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		defer guard.Recover()
		return front.Run(ctx, func(ctx context.Context, n *node.Node) error {
			return takePart(ctx, n, s, guard,
				func(ctx context.Context) { remember(ctx, n, s) },
				func(ctx context.Context) { advise(ctx, n, s) },
				func(ctx context.Context) {
					n.Deliver(ctx, func(ctx context.Context, courier *node.Node) error { return takePart(ctx, courier, s, guard) })
				})
		})
	})
	parts.Go(func() error {
		defer guard.Recover()
		defer quit()
		return show(ctx, front, s, guard)
	})
	return parts.Wait()
}

// takePart runs a node, what finds others for it, and what else is to go on beside it, until the node ends or ctx does.
func takePart(ctx context.Context, n *node.Node, s *cli.Setup, guard *ui.Guard, beside ...func(context.Context)) error {
	d := find(n, s)
	ctx, end := context.WithCancel(ctx)
	defer end()
	parts, ctx := errgroup.WithContext(ctx)
	start := func(part func(context.Context) error) {
		parts.Go(func() error {
			defer guard.Recover()
			return part(ctx)
		})
	}
	start(func(ctx context.Context) error {
		defer end()
		return n.Run(ctx)
	})
	start(d.Run)
	start(func(ctx context.Context) error { tellRole(ctx, n, d); return nil })
	for _, part := range beside {
		start(func(ctx context.Context) error { part(ctx); return nil })
	}
	return parts.Wait()
}

// find returns the discovery that tells n of others and others of n.
func find(n *node.Node, s *cli.Setup) *discovery.Discovery {
	d := discovery.New(discovery.Config{
		Session: n.Session(),
		Port:    uint16(n.Port()),
		Tag:     tag(n.Network()),
		Found:   func(p discovery.Peer) { n.Found(p.Session, p.Addresses, p.Links) },
		Gone:    func(session [8]byte) { n.Gone(session) },
		Moved:   n.Moved,
		Peers:   n.Peers,
		Send:    n.Beacon, BeaconPort: node.DefaultPort,
		Log: s.Log,
	})
	n.HearBeacons(d.Hear)
	return d
}

// tag proves over mDNS that a session on a port belongs to the network.
func tag(network *identity.Network) func(session [8]byte, port uint16) [16]byte {
	return func(session [8]byte, port uint16) [16]byte {
		return network.MDNSTag(identity.Session(session), port)
	}
}

// tellRole announces whether this is the hub, and looks around anew when the hub is lost. It does not follow the events: these are made of each message.
func tellRole(ctx context.Context, n *node.Node, d *discovery.Discovery) {
	var was node.HubState
	for changed := n.Changed(ctx); ; {
		if is := n.Hub().State; is != was {
			was = is
			switch is {
			case node.Serving:
				d.SetRole("hub")
			case node.Lost:
				d.Kick()
				fallthrough
			default:
				d.SetRole("")
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// rememberEvery is how often the addresses of peers are written down, for a process that is killed; one that ends does it then.
const rememberEvery = 2 * time.Minute

func remember(ctx context.Context, n *node.Node, s *cli.Setup) {
	if s.Peers == nil {
		return
	}
	again := time.NewTicker(rememberEvery)
	defer again.Stop()
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-again.C:
		}
		if err := s.Peers.Save(time.Now(), n.Remember()); err != nil {
			s.Log.Warn("peers are not remembered", "err", err)
		}
	}
}

// show runs the front end until the user quits or ctx ends.
func show(ctx context.Context, front *node.Front, s *cli.Setup, guard *ui.Guard) error {
	n := front.Node()
	if s.Mode == cli.FullScreen {
		if end, err := rescue.Watch(os.Stdout); err == nil {
			defer end()
		} else {
			s.Log.Info("no rescue for the terminal", "err", err)
		}
		if err := s.Prefer(n.Preferred()); err != nil {
			n.Tell("a setting of this profile makes no sense and is left out: "+err.Error(), "choose anew: /theme, /notify, /mouse")
		}
		return ui.Run(ctx, ui.Config{
			Node: front, Theme: s.Theme, Attention: ui.Attention(s.Notify), NoMouse: s.NoMouse, Fixed: s.Fixed, Guard: guard, Log: s.Log, Version: s.Version,
		})
	}
	err := plain.Run(ctx, plain.Config{
		Node: front, In: s.In, Typed: s.Typed, Out: os.Stdout, Colour: term.IsTerminal(int(os.Stdout.Fd())), JSON: s.JSON, ServerOnly: s.Node.ServerOnly, NoHistory: s.Node.NoHistory, History: s.History, Linger: s.Linger, Version: s.Version,
	})
	switch {
	case errors.Is(err, plain.ErrNobody):
		hint := "start earshot on another machine of this network, or reach one with --join"
		if !s.Node.NoHistory {
			hint += "; what was said is kept on this machine"
		}
		return &cli.Error{Code: cli.ExitNobody, Text: "nobody was there to hear what was said", Hint: hint}
	case errors.Is(err, plain.ErrUndone):
		return &cli.Error{Code: cli.ExitFailure, Text: "not everything that was to be said or done was", Hint: "what is printed above says what was not, and why"}
	case errors.Is(err, syscall.EPIPE) && s.Node.ServerOnly: // who starts a failed service anew shall
		return &cli.Error{Code: cli.ExitFailure, Text: "nobody reads any more what the hub prints", Hint: "> /dev/null has it go on without"}
	case errors.Is(err, syscall.EPIPE): // who reads the output has seen enough
		return nil
	}
	return err
}
