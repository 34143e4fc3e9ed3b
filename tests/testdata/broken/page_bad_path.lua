app.page('totals/{country}', function(request) end)
