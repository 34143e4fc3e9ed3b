package tests

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"faust/tests/drive"
)

// ownMountsEnv is set where this test binary may mount what it likes.
const ownMountsEnv = "FAUST_TEST_OWN_MOUNTS"

func init() {
	systemCommands["tmpfs"], systemCommands["fill"] = tmpfs, fill
}

// Disks that are full or may not be written. The stories mount file systems, in name spaces of their own that end with them.
func TestDiskStories(t *testing.T) {
	t.Parallel()
	if os.Getenv(ownMountsEnv) != "" {
		testscript.Run(t, stories(t, "testdata/disk"))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestDiskStories$", "-test.v", "-test.timeout=30m")
	cmd.Env = append(os.Environ(), ownMountsEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("no name space of its own: %v", err)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	case bytes.Contains(out, []byte(mountRefused)):
		t.Skip(mountRefused)
	default:
		t.Logf("%s", out)
	}
}

const mountRefused = "file systems may not be mounted here"

// tmpfs is `tmpfs DIR SIZE [ro]`: a small file system of its own.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE [ro]")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	flags := uintptr(0)
	if len(args) > 2 {
		flags = syscall.MS_RDONLY
	}
	err := syscall.Mount("none", dir, "tmpfs", flags, "size="+args[1])
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		ts.Logf("%s: %v", mountRefused, err)
		ts.Fatalf("skip")
	}
	ts.Check(err)
	onStage(ts).after = func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) } // so that the folder can be removed
}

// fill is `fill DIR BYTES`: the file DIR/ballast takes all the room but so many bytes.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill DIR BYTES")
	}
	left, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.Create(filepath.Join(ts.MkAbs(args[0]), "ballast"))
	ts.Check(err)
	defer f.Close()
	n, err := io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		ts.Fatalf("filling the disk: %v", err)
	}
	ts.Check(f.Truncate(n - left))
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Who may not write in the data directory is told so, whatever needs it.
func TestDatadirWithoutRights(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := drive.Binary(t)
	data := filepath.Join(dir, "data")
	script := "local names = app.topic('names', { value = 'string' })\napp.agent(names, function(stream) for _ in stream do end end)\napp.command('greet', function() names:send { value = 'x' } end)\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "app.lua"), []byte(script), 0o644), os.Mkdir(data, 0o755)); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{filepath.Dir(program): 0o755, program: 0o755, filepath.Dir(dir): 0o755, dir: 0o755, filepath.Join(dir, "app.lua"): 0o644, data: 0o555} {
		if err := os.Chmod(path, mode); err != nil { // of somebody else, whatever the umask
			t.Fatal(err)
		}
	}
	elsewhere := drive.Start(t, dir, nil, "broker", "--port", "0", "--datadir", filepath.Join(dir, "elsewhere"))
	address := strings.TrimRight(strings.Fields(elsewhere.WaitFor("127.0.0.1:"))[0], ",.;)")
	for _, c := range []struct {
		code int
		args []string
	}{
		{4, []string{"run", "app.lua", "greet"}},
		{1, []string{"run", "app.lua", "worker", "--without-web"}},
		{4, []string{"broker"}},
		{1, []string{"run", "app.lua", "worker", "--without-web", "--broker", "kafka://127.0.0.1:" + address}},
	} {
		cmd := exec.Command(program, append(c.args, "--datadir", data)...)
		cmd.Dir, cmd.Env = dir, drive.Environ()
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("faust %s: exit code %d, expected %d\n%s", strings.Join(c.args, " "), code, c.code, out)
		}
		for _, text := range []string{data, "permission denied", "= hint: ", "--datadir"} {
			if !strings.Contains(string(out), text) {
				t.Errorf("faust %s: no %q in\n%s", strings.Join(c.args, " "), text, out)
			}
		}
	}
}
