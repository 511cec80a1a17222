from tests.scenarios.test_gift_cards import *
from tests.scenarios import test_gift_cards as g, test_vouchers as v
def test_v(shop):
    g.test_a_partial_refund_goes_back_by_proportion(shop)
    code=g.redeemed(shop,"card"); shop.order("A-9",2000,payments=[g.paid(2000,code)],member_ref="jun")
    c2=g.redeemed(shop,"credit"); shop.order("A-10",2000,payments=[g.paid(500,c2,"store_credit"),g.by_card(1500)])
    shop.order("A-10",2000,payments=[g.paid(500,c2,"store_credit"),g.by_card(1500)],status="cancelled")
    r=shop.verify(); print(r); assert not r.get("faults") and r.get("is_sound", True)
