package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"earshot/node/hub/bench/load"
)

// address is where every server listens: the network is this process's own, and there is one at a time.
const address = "127.0.0.1:4327"

// The cores of the two processes.
const serverCore, loadCore = "0", "1"

// A server is one that can be measured.
type server struct {
	name     string // in the table
	program  string // to be found in PATH
	args     func(dir string) []string
	protocol string
	acks     bool   // it acknowledges what is on its disk
	conf     string // written to the file conf in its folder; %s is the folder
}

func arguments(a ...string) func(string) []string { return func(string) []string { return a } }

// configured are arguments that end with the name of the configuration file.
func configured(a ...string) func(string) []string {
	return func(dir string) []string { return append(a[:len(a):len(a)], filepath.Join(dir, "conf")) }
}

// servers returns those that can be measured, by name.
func (b *bench) servers() map[string]server {
	earshot := func(more ...string) func(string) []string {
		return func(dir string) []string {
			return append([]string{"--server-only", "--rate", "0", "--per-ip", "0", "--port", "4327", "--data-dir", dir, "--plain"}, more...)
		}
	}
	all := map[string]server{}
	for _, s := range []server{
		{name: "earshot", program: b.earshot, args: earshot(), protocol: "earshot", acks: true},
		{name: "earshot, nothing kept", program: b.earshot, args: earshot("--no-history"), protocol: "earshot"},
		{name: "nats", program: "nats-server", args: configured("-c"), protocol: "nats", conf: "listen: " + address + "\nmax_connections: 100000\n"},
		{name: "jetstream, sync always", program: "nats-server", args: configured("-c"), protocol: "jetstream", acks: true,
			conf: "listen: " + address + "\nmax_connections: 100000\njetstream { store_dir: \"%s/js\", max_file_store: 8GB, max_memory_store: 1GB, sync_interval: always }\n"},
		{name: "inspircd", program: "inspircd", args: configured("--runasroot", "--nofork", "--config"), protocol: "irc", conf: inspircd},
		{name: "ngircd", program: "ngircd", args: configured("-n", "-f"), protocol: "irc", conf: ngircd},
		{name: "bare Go, TLS", program: b.gohub, args: arguments("-addr", address), protocol: "length"},
		{name: "bare hub", program: b.barehub, args: func(dir string) []string { return []string{"-addr", address, "-data-dir", dir} }, protocol: "earshot", acks: true},
		{name: "bare hub, nothing kept", program: b.barehub, args: arguments("-addr", address), protocol: "earshot"},
	} {
		all[s.name] = s
	}
	return all
}

const inspircd = `<server name="irc.test.net" description="bench" network="bench">
<admin name="a" nick="a" email="a@b.c">
<bind address="127.0.0.1" port="4327" type="clients">
<connect allow="*" timeout="600" threshold="1000000" commandrate="1000000000" fakelag="no" pingfreq="3600"
  hardsendq="104857600" softsendq="104857600" recvq="10485760" localmax="100000" globalmax="100000"
  resolvehostnames="no" maxconnwarn="no" maxchans="100">
<class name="x" commands="DIE">
<cidr ipv4clone="32" ipv6clone="128">
<dns server="127.0.0.1" timeout="1">
<pid file="%[1]s/pid">
<path datadir="%[1]s" logdir="%[1]s">
<options prefixquit="Quit: " syntaxhints="no" announcets="no">
<performance netbuffersize="65534" somaxconn="4096" softlimit="100000" quietbursts="yes" clonesonconnect="no">
<security runasuser="" runasgroup="">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="%[1]s/log">
`

const ngircd = `[Global]
	Name = irc.test.net
	AdminInfo1 = x
	AdminEMail = a@b.c
	Info = bench
	Listen = 127.0.0.1
	Ports = 4327
	MotdPhrase = hi
	PidFile =
[Limits]
	ConnectRetry = 60
	MaxConnections = 0
	MaxConnectionsIP = 0
	MaxJoins = 0
	MaxPenaltyTime = 0
	PingTimeout = 3600
	PongTimeout = 600
[Options]
	DNS = no
	Ident = no
	PAM = no
	SyslogFacility = local1
`

// installed reports whether the server can be measured here.
func (s server) installed() bool {
	_, err := exec.LookPath(s.program)
	return err == nil
}

// A running server.
type running struct {
	cmd *exec.Cmd
	log string
}

// start starts a server in dir and returns when it listens.
func (s server) start(ctx context.Context, dir string) (*running, error) {
	if s.conf != "" {
		conf := s.conf
		if strings.Contains(conf, "%") {
			conf = fmt.Sprintf(conf, dir)
		}
		if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
			return nil, err
		}
	}
	path, err := exec.LookPath(s.program)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", serverCore, path}, s.args(dir)...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=") // as many as it has cores
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r := &running{cmd: cmd, log: log.Name()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return r, nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			r.stop()
			return nil, fmt.Errorf("%s does not listen: %w\n%s", s.name, err, r.said())
		}
	}
}

// said is the end of what the server printed.
func (r *running) said() []byte {
	b, _ := os.ReadFile(r.log)
	return b[max(0, len(b)-1000):]
}

// stop ends the server and waits for that.
func (r *running) stop() {
	kill := time.AfterFunc(3*time.Second, func() { r.cmd.Process.Kill() })
	defer kill.Stop()
	r.cmd.Process.Signal(syscall.SIGTERM)
	r.cmd.Wait()
}

// generate loads the server from another process.
func (s server) generate(ctx context.Context, r *running, spec load.Spec) (load.Result, error) {
	spec.Address, spec.Protocol, spec.PID = address, s.protocol, r.cmd.Process.Pid
	spec.Acks = spec.Acks && s.acks
	spec.Parallel = 20
	if spec.Receivers > 5000 && s.protocol == "earshot" {
		spec.Parallel = 2 // each is told of all others
	}
	if s.name == "inspircd" {
		spec.Parallel = 500 // inspircd takes a second for each: it looks up who comes, and here is nobody to ask
	}
	what, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", "-c", loadCore, self)
	cmd.Env = append(os.Environ(), loadSpec+"="+string(what), "GOMAXPROCS=4") // an epoll_wait that blocks must not have the only one
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("load on %s: %w: %s\n%s", s.name, err, complaint.Bytes(), r.said())
	}
	var result load.Result
	return result, json.Unmarshal(out.Bytes(), &result)
}
