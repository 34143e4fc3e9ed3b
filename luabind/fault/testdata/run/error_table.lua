error { code = 42, message = 'no such user', user = 'u1' }
