package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"earshot/discovery"
)

// width is that of a narrow terminal. Commands are never broken but after &&.
const width = 80

// Line is the diagnosis in one sentence, with the command that mends it; empty where nothing is to be said.
func (r *Report) Line() (sentence, command string) {
	if len(r.Findings) == 0 {
		return "", ""
	}
	f := r.Findings[0]
	command = f.Command
	if f.Code == Nobody {
		return f.Sentence, "" // which says it
	}
	if command != "" && f.There != "" {
		command += " (on " + f.There + ")"
	}
	return f.Sentence, command
}

// WriteText prints the report for people, in lines of 80 columns at most but for commands.
func (r *Report) WriteText(w io.Writer) error {
	p := &page{}
	p.line("earshot doctor: the network %q, which is %s, and port %d", r.Network, map[bool]string{true: "closed", false: "open to all here"}[r.Closed], r.Port)
	p.section("Interfaces")
	for _, used := range []bool{true, false} {
		for _, i := range r.Survey.Interfaces {
			if (i.Use == discovery.Used) == used {
				p.entry(i.Name, interfaceState(i))
			}
		}
	}
	p.section("Network")
	p.entry("heard", r.heard())
	if n := r.Survey.Strangers; n > 0 {
		p.entry("other earshots", fmt.Sprintf("%d of other networks", n))
	}
	p.entry("default route", r.route())
	p.entry("firewall", r.firewallState())
	p.section("Instances")
	for _, i := range r.Peers {
		p.entry(i.entry())
	}
	if len(r.Peers) == 0 {
		p.entry("none", "")
	}
	p.section("Findings")
	if len(r.Findings) == 0 {
		p.entry("none", "")
	}
	for n, f := range r.Findings {
		p.finding(n+1, f)
	}
	_, err := io.WriteString(w, p.String())
	return err
}

type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }
func (p *page) section(name string)             { p.line("\n%s", name) }

// entry prints a name and what there is to say of it, in a column of its own.
func (p *page) entry(name, text string) {
	const column = 18
	first := "  " + name
	if text == "" {
		p.line("%s", first)
		return
	}
	if utf8.RuneCountInString(first) >= column {
		p.line("%s", first)
		first = ""
	}
	for i, l := range wrap(text, width-column) {
		if i > 0 {
			first = ""
		}
		p.line("%s%s", first+strings.Repeat(" ", column-utf8.RuneCountInString(first)), l)
	}
}

func (p *page) finding(n int, f Finding) {
	number := fmt.Sprintf("%3d. ", n)
	for i, l := range wrap(f.Sentence, width-len(number)) {
		if i > 0 {
			number = strings.Repeat(" ", len(number))
		}
		p.line("%s%s", number, l)
	}
	if f.Command == "" {
		return
	}
	margin := strings.Repeat(" ", len(number))
	if f.There != "" {
		p.line("%son %s:", margin, f.There)
	}
	command := margin + "  " + f.Command
	if len(command) > width {
		command = strings.ReplaceAll(command, " && ", " &&\n"+margin+"  ")
	}
	p.line("%s", command)
}

// wrap breaks text into lines of at most n columns, at spaces and where it has lines itself.
func wrap(text string, n int) (lines []string) {
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

// MarshalJSON gives scripts what WriteText gives people. Fields may be added, never changed.
func (r *Report) MarshalJSON() ([]byte, error) {
	type traffic struct {
		Sent  int    `json:"sent"`
		Back  int    `json:"back"`
		Heard int    `json:"heard"`
		Error string `json:"error,omitempty"`
	}
	type iface struct {
		Name      string         `json:"name"`
		Use       discovery.Use  `json:"use"`
		Addresses []netip.Prefix `json:"addresses"`
		IPv4      *traffic       `json:"ipv4,omitempty"`
		IPv6      *traffic       `json:"ipv6,omitempty"`
	}
	of := func(t *discovery.Traffic) *traffic {
		if t == nil {
			return nil
		}
		said := &traffic{Sent: t.Sent, Back: t.Back, Heard: t.Heard}
		if t.Err != nil {
			said.Error = t.Err.Error()
		}
		return said
	}
	all := []iface{}
	for _, i := range r.Survey.Interfaces {
		all = append(all, iface{i.Name, i.Use, append([]netip.Prefix{}, i.Addresses...), of(i.IPv4), of(i.IPv6)})
	}
	type plain Report // without this method
	p := plain(*r)
	p.Peers, p.Findings = append([]Peer{}, r.Peers...), append([]Finding{}, r.Findings...) // never null
	var out struct {
		plain
		Interfaces []iface  `json:"interfaces"`
		Machines   int      `json:"machines"`
		Services   []string `json:"services"`
		Strangers  int      `json:"other_networks"`
		Route      Route    `json:"default_route"`
		Firewall   struct {
			Manager  string `json:"manager,omitempty"`
			Readable bool   `json:"readable"`
			State    string `json:"state"`
		} `json:"firewall"`
	}
	out.plain, out.Interfaces, out.Machines, out.Strangers, out.Route = p, all, r.Survey.Machines, r.Survey.Strangers, r.Route
	out.Services = append([]string{}, r.Survey.Services...)
	out.Firewall.Manager, out.Firewall.Readable, out.Firewall.State = r.Firewall.Manager, r.Firewall.Readable, r.firewallState()
	return json.Marshal(out)
}
