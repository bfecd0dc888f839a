# frozen_string_literal: true

module CurcLlm
  # The person's Slurm accounts as the portal's own field (auto_accounts) lists them. The app can't ask Slurm while a form
  # is sent, but it runs inside the portal, which has asked and keeps the answer for four hours (app/lib/account_cache.rb
  # of OnDemand 3.1 to 4.2).
  module PortalAccounts
    module_function

    # @return [Array<String>] empty where the portal has no such list, or it can't be read: nothing is refused then
    def names
      defined?(::AccountCache) ? Object.new.extend(::AccountCache).account_names.map(&:to_s) : []
    rescue StandardError
      []
    end
  end
end
