package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"faust/luabind/fault"
)

// entryFiles are what a folder may have as its app, in this order.
var entryFiles = [...]string{"app.lua", "main.lua", "init.lua"}

// locate finds the script that name means: a file, or a folder with app.lua, main.lua or init.lua in it. With loose (--app) the
// extension may be left out, and dots may stand for slashes. The error is a *loadError.
func locate(name string, loose bool) (string, error) {
	tried := []string{name}
	if loose {
		tried = append(tried, name+".lua")
		if slashed := strings.ReplaceAll(name, ".", "/"); slashed != name {
			tried = append(tried, slashed, slashed+".lua")
		}
	}
	for _, path := range tried {
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			if loose && isFile(path+".lua") {
				return path + ".lua", nil
			}
			return inFolder(path)
		case err == nil:
			return path, readable(path, info)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !isNotDir(err):
			return "", loadf("'%s': %s", path, cause(err))
		}
	}
	return "", missing(name, loose)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// isNotDir: a/b where a is a file.
func isNotDir(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "not a directory"
}

func inFolder(dir string) (string, error) {
	for _, name := range entryFiles {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, readable(path, info)
		}
	}
	err := loadf("'%s' is a folder without app.lua, main.lua or init.lua", dir)
	if found := luaFiles(dir); len(found) > 0 {
		err.hint = "it has " + strings.Join(found[:min(len(found), 5)], ", ")
	}
	return "", err
}

// readable refuses what cannot be a script before the parser finds something odd to say about it.
func readable(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		return loadf("'%s' is not a regular file", path)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return loadf("'%s' cannot be read: %s", path, cause(err))
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return loadf("'%s' cannot be read: %s", path, cause(err))
	}
	if head = head[:n]; bytes.HasPrefix(head, []byte("\x1bLua")) {
		return loadf("'%s' is compiled Lua; give the source", path)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return loadf("'%s' is not a Lua file: it is binary", path)
	}
	return nil
}

// missing says that there is no such file, and which one may be meant.
func missing(name string, loose bool) error {
	err := loadf("no such file: '%s'", name)
	if loose {
		err = loadf("no app '%s': there is no %s, %s.lua or %s/app.lua", name, name, name, strings.ReplaceAll(name, ".", "/"))
	}
	if isFile(name + ".lua") {
		err.hint = fmt.Sprintf("did you mean '%s.lua'?", name)
		return err
	}
	dir, base := filepath.Split(name)
	var known []string
	for _, file := range luaFiles(dir) {
		known = append(known, file)
		if loose {
			known = append(known, strings.TrimSuffix(file, ".lua"))
		}
	}
	entries, _ := os.ReadDir(orDot(dir))
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			known = append(known, e.Name())
		}
	}
	if s := fault.Suggest(base, known); s != "" {
		err.hint = fmt.Sprintf("did you mean '%s'?", dir+s)
	}
	return err
}

func luaFiles(dir string) []string {
	entries, _ := os.ReadDir(orDot(dir))
	var names []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".lua" {
			names = append(names, e.Name())
		}
	}
	return names
}

// appsHere are the scripts of the working directory, the likely one first.
func appsHere() []string {
	var names []string
	for _, name := range entryFiles {
		if isFile(name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return names
	}
	return luaFiles(".")
}

func orDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}
