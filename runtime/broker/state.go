package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// What the embedded broker keeps in its directory.
const (
	stateFile = "broker.json" // where it listens, while it runs
	lockFile  = "broker.lock" // held while it runs
	startLock = "broker.start.lock"
	logFile   = "broker.log" // what the process wrote
	dataDir   = "broker"     // topics, records, groups
)

// state is the content of broker.json.
type state struct {
	Addr      string `json:"addr"`
	PID       int    `json:"pid"`
	ClusterID string `json:"cluster_id"`
	Dir       string `json:"dir"`
}

func readState(dir string) (state, error) {
	var s state
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Addr == "" {
		return s, fmt.Errorf("read %s: not a broker's address", filepath.Join(dir, stateFile))
	}
	return s, nil
}

// write puts broker.json in place in one step, so that nobody reads half of it.
func (s state) write(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(append(text, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, stateFile))
}

func removeState(dir string) { _ = os.Remove(filepath.Join(dir, stateFile)) }

// errLocked: another process (or another server of this one) holds the lock.
var errLocked = errors.New("locked")

// lock takes an advisory lock that ends with the process, however it ends. The file stays: removing it would let two holders in.
func lock(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", filepath.Join(dir, name), err)
}
