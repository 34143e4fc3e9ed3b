package fault

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// FromCompile turns what the engine's parser or compiler said of src into errors of ours: up to five, with the opener that is never
// closed, and the mistakes people bring along from other languages. The result is an *Error or a List; nil for nil.
func FromCompile(file, src string, err error) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	t := readTree(file, src)
	if found := pick(t.found); len(found) > 0 {
		return asError(found, file, src)
	}
	e := &Error{Code: Syntax, Message: "the file cannot be compiled", Place: Place{File: file}, Cause: err}
	var syntax *parse.Error
	var compile *lua.CompileError
	switch {
	case errors.As(err, &syntax):
		fromParser(e, src, syntax)
	case errors.As(err, &compile):
		fromCompiler(e, t, compile.Line, compile.Message)
	default:
		fromText(e, t, err.Error())
	}
	return e
}

// Check gives the errors in src that the engine does not notice and silently reads as something else: escapes it does not know, list
// constructors too long for it. nil if there are none. It is for whoever loads a file, before compiling it.
func Check(file, src string) error {
	if !strings.Contains(src, `\`) && strings.Count(src, ",")+strings.Count(src, ";") < maxListItems {
		return nil
	}
	t := readTree(file, src)
	found := slices.DeleteFunc(t.found, func(d diagnosis) bool { return !d.silent })
	if found = pick(found); len(found) > 0 {
		return asError(found, file, src)
	}
	if t.items > maxListItems {
		return &Error{Code: Syntax, Place: Place{File: file, Line: 1},
			Message: fmt.Sprintf("a list of %d items is too long for one constructor: at most %d", t.items, maxListItems),
			Hints:   []string{"read it from a file, or put it together in a loop"}}
	}
	return nil
}

// maxListItems is what a table constructor keeps; the engine drops the rest without a word.
const maxListItems = 25550

func asError(found []diagnosis, file, src string) error {
	list := make(List, len(found))
	for i, d := range found {
		list[i] = d.error(file, src)
	}
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// fromParser is for the rare case that only the engine found something: its place is that of the token after the fault, roughly.
func fromParser(e *Error, src string, err *parse.Error) {
	line := err.Pos.Line
	if line == parse.EOF {
		e.Place.Line = lastLine(src)
		e.Message = "the file ends too early"
		return
	}
	e.Place.Line = line
	e.Message = "syntax error"
	if err.Token != "" {
		e.Message = fmt.Sprintf("unexpected '%s'", OneLine(err.Token))
		underline(e, lineOf(src, line), err.Token)
	}
}

// underline puts the caret under what, if it stands in the line exactly once.
func underline(e *Error, line, what string) {
	if strings.Count(line, what) == 1 && what != "" {
		e.Place.Column = strings.Index(line, what) + 1
		e.Place.EndColumn = e.Place.Column + len(what)
	}
}

var (
	gotoMessage  = regexp.MustCompile(`no visible label '(.*)' for <goto> at line (\d+)`)
	jumpMessage  = regexp.MustCompile(`<goto (.*)> at line (\d+) jumps into the scope of local '(.*)'`)
	labelMessage = regexp.MustCompile(`label '(.*)' already defined on line (\d+)`)
	textMessage  = regexp.MustCompile(`line:?\(?(\d+)\)?(?:\(column:(\d+)\))?(?: near '(.*)')?[^:]*:\s*(.*)`)
)

// fromText reads the text of an error of the engine whose type was lost.
func fromText(e *Error, t *tree, message string) {
	m := textMessage.FindStringSubmatch(strings.TrimSpace(message))
	if m == nil {
		return
	}
	line, _ := strconv.Atoi(m[1])
	if m[3] == "" {
		fromCompiler(e, t, line, m[4])
		return
	}
	e.Place.Line = line
	e.Message = fmt.Sprintf("unexpected '%s'", OneLine(m[3]))
	underline(e, lineOf(t.src, line), m[3])
}

// fromCompiler explains what the compiler refuses although the grammar allows it: limits and jumps.
func fromCompiler(e *Error, t *tree, line int, message string) {
	e.Place.Line = max(line, 1)
	switch {
	case strings.Contains(message, "local variables"), strings.Contains(message, "register overflow"):
		e.Message = "this function has too many local variables or too large an expression (about 200 values at a time)"
		e.Hints = []string{"put values that belong together in a table, or parts in functions or  do ... end  blocks of their own"}
		if line == 0 {
			e.Message = strings.Replace(e.Message, "this function", "the file", 1)
		}
	case strings.Contains(message, "too many constants"):
		e.Message = "too many different constants"
		e.Hints = []string{"read large data from a file"}
	case strings.Contains(message, "too long to jump"):
		e.Message = "this block is too large"
		e.Hints = []string{"put parts of it in functions"}
	case strings.Contains(message, "no loop to break"):
		e.Message = "'break' stands outside a loop"
		underline(e, lineOf(t.src, line), "break")
	case strings.Contains(message, "outside a vararg function"):
		e.Message = "'...' stands in a function that takes no '...'"
		underline(e, lineOf(t.src, line), "...")
	default:
		fromJump(e, t, message)
	}
}

func fromJump(e *Error, t *tree, message string) {
	if m := gotoMessage.FindStringSubmatch(message); m != nil {
		e.Place.Line, _ = strconv.Atoi(m[2])
		e.Message = fmt.Sprintf("there is no label '%s' that this 'goto' can reach", m[1])
		underline(e, lineOf(t.src, e.Place.Line), "goto "+m[1])
		names := []string{}
		for l := range t.labels {
			names = append(names, l)
		}
		if s := Suggest(m[1], names); s != "" {
			e.Hints = []string{fmt.Sprintf("did you mean '%s'?", s)}
		} else {
			e.Hints = []string{fmt.Sprintf("a label is written  ::%s::  in the same block or one around it", m[1])}
		}
		return
	}
	if m := jumpMessage.FindStringSubmatch(message); m != nil {
		e.Place.Line, _ = strconv.Atoi(m[2])
		e.Message = fmt.Sprintf("this 'goto' jumps into the scope of the local '%s'", m[3])
		underline(e, lineOf(t.src, e.Place.Line), "goto "+m[1])
		e.Hints = []string{fmt.Sprintf("declare '%s' before the goto, or close its block before the label", m[3])}
		return
	}
	if m := labelMessage.FindStringSubmatch(message); m != nil {
		e.Place.Line = max(e.Place.Line-1, 1)
		e.Message = fmt.Sprintf("the label '%s' is defined already, on line %s", m[1], m[2])
		underline(e, lineOf(t.src, e.Place.Line), "::"+m[1]+"::")
		return
	}
	e.Message = strings.TrimSpace(message)
}
