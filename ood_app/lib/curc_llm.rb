# frozen_string_literal: true

# Loads all that the portal's side is made of. Only Ruby's standard library, Ruby 3.0 and later.
Dir[File.join(__dir__, 'curc_llm', '*.rb')].each { |file| require file }
