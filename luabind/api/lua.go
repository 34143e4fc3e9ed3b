package api

import "strings"

// lib describes a function of Lua itself: its parameters as they are written, '[x]' for one that may be left out, '...' for any number.
func lib(name, params, returns, text string) Entry {
	e := Entry{Name: name, Kind: Function, Text: text}
	for p := range strings.SplitSeq(params, ", ") {
		inner := strings.Trim(p, "[]")
		switch inner {
		case "":
		case "...":
			e.Params = append(e.Params, Param{Name: "values", Type: Any, Rest: true})
		default:
			e.Params = append(e.Params, Param{Name: inner, Type: Any, Optional: inner != p})
		}
	}
	if returns != "" {
		e.Returns = []Return{{Type: returns}}
	}
	return e
}

// more adds a longer text.
func (e Entry) more(text string) Entry { e.More = text; return e }

var luaEntries = []Entry{
	lib("assert", "value, [message], ...", "value, ...", "Raises the message if the value is false or nil; else gives its arguments back."),
	lib("collectgarbage", "[option]", "number", "Is there for scripts that call it; 'count' gives the kilobytes in use.").more("Memory is collected by itself."),
	lib("error", "value, [level]", "", "Raises a value; a text gets the place in front.").
		more("level 1, the default, is the place of the call, 2 that of the caller's call, 0 none."),
	lib("getfenv", "[f]", "table", "Gives the table in which a function looks up globals."),
	lib("getmetatable", "value", "any", "Gives the metatable of a value, or what its __metatable says."),
	lib("ipairs", "list", "iterator", "Loops over the items of a list:  for i, item in ipairs(list) do."),
	lib("load", "chunk, [name], [mode], [env]", "function or nil, message", "Compiles a text, or the pieces that a function gives."),
	lib("loadstring", "chunk, [name]", "function or nil, message", "Compiles a text; the same as load."),
	lib("module", "name, ...", "table", "Makes the file a module, as of Lua 5.1; a table that is returned does as well."),
	lib("newproxy", "[metatable]", "any", "Makes an object without fields, as of Lua 5.1."),
	lib("next", "table, [key]", "key, value", "Gives the entry of a table after a key; nil after the last."),
	lib("pairs", "table", "iterator", "Loops over names and values of a table, in the order in which they were set:  for name, value in pairs(t) do."),
	lib("pcall", "f, ...", "boolean, ...", "Calls a function and gives true and what it returns, or false and the error.").
		more("The error cancelled passes through: it ends the task."),
	lib("print", "...", "", "Writes its arguments to standard output as one line."),
	lib("rawequal", "a, b", "boolean", "Compares two values without metamethods."),
	lib("rawget", "table, key", "any", "Reads a field without metamethods."),
	lib("rawlen", "value", "number", "Gives the length of a table or string without metamethods."),
	lib("rawset", "table, key, value", "table", "Sets a field without metamethods."),
	lib("require", "name", "any", "Runs a file once and gives what it returns; the built-in modules have names as well.").
		more("require 'lib.users' finds lib/users.lua or lib/users/init.lua next to the requiring file, then at the app's root, then in lua_modules/."),
	lib("select", "n, ...", "any, ...", "Gives the arguments from number n on; select('#', ...) their number."),
	lib("setfenv", "f, table", "function", "Sets the table in which a function looks up globals."),
	lib("setmetatable", "table, metatable", "table", "Sets the metatable of a table."),
	lib("tonumber", "value, [base]", "number or nil", "Reads a number."),
	lib("tostring", "value", "string", "Writes a value as a text."),
	lib("type", "value", "string", "Gives the type of a value: nil boolean number string table function thread userdata."),
	lib("unpack", "list, [i], [j]", "any, ...", "Gives the items of a list as values."),
	lib("xpcall", "f, handler, ...", "boolean, ...", "Calls a function as pcall does; the error goes through a handler."),
	{Name: "_G", Kind: Value, Type: Table, Text: "The table of all globals."},
	{Name: "_VERSION", Kind: Value, Type: String, Text: "The version of the language."},
	{Name: "package", Kind: Module, Text: "What require knows."},
	{Name: "package.config", Kind: Value, Type: String, Text: "The separators of paths."},
	{Name: "package.cpath", Kind: Value, Type: String, Text: "Empty: there are no modules in C."},
	{Name: "package.loaded", Kind: Value, Type: Table, Text: "The modules that were required, by name."},
	{Name: "package.path", Kind: Value, Type: String, Text: "Empty: require looks beside the file, at the app's root and in lua_modules/."},
	{Name: "package.preload", Kind: Value, Type: Table, Text: "Functions that make modules, by name."},
	lib("package.seeall", "module", "", "Lets a module see the globals, as of Lua 5.1."),
}

var stringEntries = []Entry{
	{Name: "string", Kind: Module, Text: "Works on texts; the functions are methods of every string:  name:upper()."},
	lib("string.byte", "s, [i], [j]", "number, ...", "Gives the bytes from i to j as numbers."),
	lib("string.char", "...", "string", "Makes a string of bytes."),
	lib("string.dump", "f", "", "Is there, and always raises: a function cannot be written."),
	lib("string.find", "s, pattern, [init], [plain]", "first, last, ...", "Finds a pattern, and gives where it begins and ends, and its captures; nil if it is not there."),
	lib("string.format", "layout, ...", "string", "Writes values as a layout says: ('%d of %s'):format(n, name)."),
	lib("string.gfind", "s, pattern", "iterator", "The same as string.gmatch, as of Lua 5.0."),
	lib("string.gmatch", "s, pattern", "iterator", "Loops over all matches of a pattern."),
	lib("string.gsub", "s, pattern, replacement, [n]", "string, number", "Replaces matches of a pattern by a text, a table's values or a function's results."),
	lib("string.len", "s", "number", "Gives the number of bytes."),
	lib("string.lower", "s", "string", "Gives the text in lower case."),
	lib("string.match", "s, pattern, [init]", "string, ...", "Gives the captures of a pattern, or what it matches; nil if it is not there."),
	lib("string.rep", "s, n, [separator]", "string", "Repeats a text."),
	lib("string.reverse", "s", "string", "Gives the bytes in reverse."),
	lib("string.sub", "s, i, [j]", "string", "Gives the bytes from i to j; negative ones count from the end."),
	lib("string.upper", "s", "string", "Gives the text in upper case."),
}

var tableEntries = []Entry{
	{Name: "table", Kind: Module, Text: "Works on lists."},
	lib("table.concat", "list, [separator], [i], [j]", "string", "Joins the items of a list."),
	lib("table.getn", "list", "number", "Gives the length of a list, as # does."),
	lib("table.insert", "list, [position], value", "", "Puts an item into a list, at its end or at a position."),
	lib("table.maxn", "table", "number", "Gives the greatest number that is a key."),
	lib("table.pack", "...", "table", "Makes a list of its arguments, with their number as n."),
	lib("table.remove", "list, [position]", "any", "Takes an item out of a list, the last one or that at a position."),
	lib("table.sort", "list, [before]", "", "Sorts a list in place; before(a, b) tells whether a comes first."),
	lib("table.unpack", "list, [i], [j]", "any, ...", "Gives the items of a list as values."),
}

var utf8Entries = []Entry{
	{Name: "utf8", Kind: Module, Text: "Works on the characters of texts."},
	lib("utf8.char", "...", "string", "Makes a text of character codes."),
	lib("utf8.codepoint", "s, [i], [j]", "number, ...", "Gives the codes of characters."),
	lib("utf8.codes", "s", "iterator", "Loops over positions and codes."),
	lib("utf8.len", "s, [i], [j]", "number", "Gives the number of characters; nil and the position of the first byte that is no UTF-8."),
	lib("utf8.offset", "s, n, [i]", "number", "Gives the position of the n-th character."),
	{Name: "utf8.charpattern", Kind: Value, Type: String, Text: "A pattern that matches one character."},
}

var coroutineEntries = []Entry{
	{Name: "coroutine", Kind: Module, Text: "Coroutines, for iterators and the like; what is to run beside takes spawn."},
	lib("coroutine.create", "f", "thread", "Makes a coroutine of a function."),
	lib("coroutine.isyieldable", "", "boolean", "Tells whether coroutine.yield can be called here."),
	lib("coroutine.resume", "co, ...", "boolean, ...", "Goes on with a coroutine; gives true and what it yields or returns, or false and the error."),
	lib("coroutine.running", "", "thread or nil", "Gives the coroutine that runs."),
	lib("coroutine.status", "co", "string", "Tells whether it is running, normal, suspended or dead."),
	lib("coroutine.wrap", "f", "function", "Makes a coroutine, and a function that goes on with it and raises its errors."),
	lib("coroutine.yield", "...", "any, ...", "Gives values to who resumed the coroutine, and waits to be resumed."),
}

var systemEntries = []Entry{
	{Name: "os", Kind: Module, Text: "The clock and the environment; the rest of os is open with --unsafe only."},
	lib("os.clock", "", "number", "Gives the processor time used, in seconds."),
	lib("os.date", "[layout], [time]", "string or table", "Writes a time; see datetime:format for one with a zone."),
	lib("os.difftime", "a, b", "number", "Gives the seconds from b to a."),
	lib("os.getenv", "name", "string or nil", "Gives an environment variable; see env.get."),
	lib("os.setlocale", "[locale], [category]", "string or nil", "Is there for scripts that call it; the locale is always C."),
	lib("os.time", "[table]", "number", "Gives the time as seconds since 1970."),
	{Name: "io", Kind: Module, Text: "Standard output; the rest of io is open with --unsafe only."},
	lib("io.write", "...", "", "Writes to standard output, without a line break."),
	{Name: "io.stdout", Kind: Value, Type: Table, Text: "Standard output: io.stdout:write(text)."},
	{Name: "debug", Kind: Module, Text: "Where a script stands."},
	lib("debug.traceback", "[message]", "string", "Gives the functions that were called, innermost first."),
}

// ofLua are the modules of Lua itself.
var ofLua = map[string]bool{"string": true, "table": true, "math": true, "utf8": true, "coroutine": true, "os": true, "io": true, "debug": true, "package": true}

// OfLua tells whether a name is one that Lua itself has, in every program.
func OfLua(name string) bool {
	e := Entry{Name: name}
	if of := e.Of(); of != "" {
		return ofLua[of] && name[len(of)] == '.' // table.concat is Lua's, table:add is not
	}
	if ofLua[name] {
		return true
	}
	for i := range luaEntries {
		if luaEntries[i].Name == name {
			return true
		}
	}
	return false
}
