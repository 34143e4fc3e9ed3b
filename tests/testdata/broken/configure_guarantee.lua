app.configure { processing_guarantee = 'exactly_onec' }
