package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Embedded brokers of all folders share the ports of the machine. Each leaves a note under its port, so that another one that finds the port
// taken can say by which folder and process. A note is only believed if the cluster id at the port is the one it names.

func notePath(port string) string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("faust-broker-%d-%s.json", os.Getuid(), port))
}

// announce leaves the note; without it only a message is poorer.
func (s state) announce() {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		return
	}
	_ = os.Remove(notePath(port)) // of a process that was killed, or no file of ours at all
	f, err := os.OpenFile(notePath(port), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.Write(text)
	f.Close()
}

func (s state) withdraw() {
	if _, port, err := net.SplitHostPort(s.Addr); err == nil {
		_ = os.Remove(notePath(port))
	}
}

// occupant describes who listens on a port of this machine.
func occupant(port int) string {
	const unknown = "another program"
	text, err := os.ReadFile(notePath(strconv.Itoa(port)))
	if err != nil {
		return unknown
	}
	var s state
	if json.Unmarshal(text, &s) != nil {
		return unknown
	}
	ctx, cancel := context.WithTimeout(context.Background(), OpenTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return unknown
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(OpenTimeout))
	if id, err := clusterID(conn); err != nil || id != s.ClusterID {
		return unknown
	}
	return fmt.Sprintf("the faust broker of %s, pid %d", s.Dir, s.PID)
}
