# frozen_string_literal: true

# The portal's pages for one user: `puma -b unix://… config.ru`, behind the Apache of this test bed.
require_relative 'dashboard'

run Dashboard.new(Settings.from(ENV))
