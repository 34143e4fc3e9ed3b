local r = http.get('http://localhost/')
