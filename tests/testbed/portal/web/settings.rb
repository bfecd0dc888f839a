# frozen_string_literal: true

require 'pathname'
require_relative '../../../ood/lib/portal_version'

# How this portal is set up, from the environment.
Settings = Struct.new(:app_root, :token, :cluster, :version, :csp, :poll_ms, :can_cancel, :home, :user, keyword_init: true) do
  def self.from(env)
    new(app_root: Pathname(env.fetch('PORTAL_APP')), token: env.fetch('PORTAL_TOKEN', 'sys/curc-llm'),
        cluster: env.fetch('PORTAL_CLUSTER', 'alpine'),
        version: Portal::Version.new(env.fetch('PORTAL_VERSION', '4.2')), csp: env['PORTAL_CSP'] == '1',
        poll_ms: env.fetch('PORTAL_POLL_MS', '10000').to_i,
        can_cancel: env['PORTAL_CAN_CANCEL'] == '1', home: Pathname(env.fetch('HOME')), user: env.fetch('USER'))
  end

  # Where the portal keeps staged folders and records of this user.
  def dataroot
    home.join('ondemand/data/sys/dashboard')
  end
end
