package api

// httpOptions are those of every function of http.
var httpOptions = []Option{
	{Name: "headers", Type: Table, Of: "names and values", Text: "Headers; a value may be a secret, or a list."},
	{Name: "query", Type: Table, Of: "names and values", Text: "What is added behind the ? of the URL."},
	{Name: "timeout", Type: Duration, Default: "'10s'", Text: "How long one attempt may take; then timeout is raised."},
	{Name: "json", Type: Any, Text: "A value that is sent as JSON."},
	{Name: "body", Type: "string or secret", Text: "A text that is sent as it is."},
	{Name: "form", Type: Table, Of: "names and values", Text: "The fields of a form that is sent."},
	{Name: "retry", Type: Whole, Max: 100, Default: "0", Text: "How often to try again when there is no connection, and at the statuses 429, 502, 503 and 504; Retry-After is heeded."},
	{Name: "retry_post", Type: Boolean, Default: "false", Text: "Whether POST and PATCH may be tried again as well, though they may then happen twice."},
	{Name: "redirects", Type: Whole, Max: 100, Default: "10", Text: "How many redirects are followed; 0: none, the redirect is the answer."},
	{Name: "limit", Type: "size", Default: "'32MiB'", Text: "How large the answer may be; then too_large is raised."},
}

var httpEntries = concat([]Entry{{
	Name: "http", Kind: Module,
	Text: "Asks web servers.",
	More: `An answer is an answer, whatever its status: response:check() raises for one that is no success. What gets no answer raises connection or timeout. ` +
		`While a request is under way other tasks run; nothing can be asked while the file is being loaded.`,
	Example: `app.command('go', function()
  local order = http.get('http://shop.example/orders/o1', { timeout = '5s', retry = 3 }):check().json
  print(order.id)  --> o1
end)`,
	See: []string{"http.get", "http.post", "response", "response:check", "env.secret"},
}}, httpVerbs(), []Entry{
	{
		Name: "response", Kind: Object,
		Text: "What http.get and its kin give: the answer of a web server.",
		Example: `app.command('go', function()
  local answer = http.get 'http://shop.example/orders/o1'
  print(answer.status, answer.ok, answer.json.id, answer.headers['Content-Type'])  --> 200  true  o1  application/json
end)`,
		See: []string{"http.get", "response:check"},
	},
	{
		Name: "response:check", Kind: Method, Returns: []Return{{Type: "response", Text: "the same one"}},
		Text: "Raises http_status unless the status is one of success, 200 to 299.",
		Example: `app.command('go', function()
  print(http.get('http://shop.example/orders/o1'):check().status)  --> 200
end)`,
		See: []string{"http"},
	},
	{Name: "response.status", Kind: Field, Type: Number, Text: "The status: 200, 404, ..."},
	{Name: "response.ok", Kind: Field, Type: Boolean, Text: "Whether the status is one of success, 200 to 299."},
	{Name: "response.text", Kind: Field, Type: String, Text: "The body."},
	{Name: "response.json", Kind: Field, Type: Any, Text: "The body read as JSON; raises decode if it is none."},
	{Name: "response.headers", Kind: Field, Type: Table, Text: "The headers by name, whatever the case."},
	{Name: "response.url", Kind: Field, Type: String, Text: "The URL that answered, after redirects."},
})

// httpVerbs are http.get and its kin.
func httpVerbs() []Entry {
	address := Param{Name: "url", Type: "string or secret", Text: "the URL, with http:// or https://"}
	var entries []Entry
	for _, v := range []struct{ name, text, example string }{
		{"get", "Asks for something with GET.", "http.get('http://shop.example/orders', { query = { page = 2 } })"},
		{"head", "Asks for the headers only, with HEAD.", "http.head 'http://shop.example/orders'"},
		{"post", "Sends something with POST.", "http.post('http://shop.example/orders', { json = { id = 'o1' } })"},
		{"put", "Sends something with PUT.", "http.put('http://shop.example/orders/o1', { json = { total = 20 } })"},
		{"patch", "Sends a change with PATCH.", "http.patch('http://shop.example/orders/o1', { json = { total = 20 } })"},
		{"delete", "Has something deleted with DELETE.", "http.delete 'http://shop.example/orders/o1'"},
		{"request", "Sends a request with any method.", "http.request('http://shop.example/orders', { method = 'OPTIONS' })"},
	} {
		options := httpOptions
		if v.name == "request" {
			options = append([]Option{{Name: "method", Type: String, Default: "'GET'", Text: "The method, such as OPTIONS."}}, httpOptions...)
		}
		entries = append(entries, Entry{
			Name: "http." + v.name, Kind: Function, Waits: true,
			Params: []Param{address, optional}, Options: options, Returns: []Return{{Type: "response"}},
			Text:    v.text,
			Example: "app.command('go', function()\n  print(" + v.example + ".status)  --> 200\nend)",
			See:     []string{"http", "response:check"},
		})
	}
	return entries
}
