local db = sql.open('postgres://localhost/')
